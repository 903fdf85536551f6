/** What commands say: results on stdout, everything else on stderr, bars only where somebody looks at them. */

import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { UsageError } from './usage-error.ts';

export interface Streams {
  readonly stdin: Readable;
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
}

const barWidth = 24;

export class Terminal {
  readonly isJson: boolean;
  readonly #streams: Streams;
  #hasBar = false;

  constructor(streams: Streams, isJson: boolean) {
    this.#streams = streams;
    this.isJson = isJson;
  }

  /** A result for people; nothing with --json. */
  line(text = ''): void {
    if (!this.isJson) this.#streams.stdout.write(`${text}\n`);
  }

  /** A result for programs; nothing without --json. */
  json(value: unknown): void {
    if (this.isJson) this.#streams.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** What happens meanwhile. */
  note(text: string): void {
    this.#clearBar();
    this.#streams.stderr.write(`${text}\n`);
  }

  /** `share` from 0 to 1. Where stderr is no terminal nothing is drawn. */
  bar(share: number, text: string): void {
    const { stderr } = this.#streams;
    if (!stderr.isTTY) return;
    const filled = Math.round(barWidth * Math.min(1, Math.max(0, share)));
    const line = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} ${text}`;
    stderr.write(`\r\u001b[K${line.slice(0, (stderr.columns ?? 80) - 1)}`);
    this.#hasBar = true;
  }

  #clearBar(): void {
    if (this.#hasBar) this.#streams.stderr.write('\r\u001b[K');
    this.#hasBar = false;
  }

  endBar(): void {
    this.#clearBar();
  }

  get showsBars(): boolean {
    return this.#streams.stderr.isTTY === true;
  }

  /** Columns as wide as their longest cell. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    if (this.isJson) return;
    const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
    for (const row of [head, ...rows])
      this.line(
        row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd(),
      );
  }

  /** The bytes of a file, of stdin for `-`. */
  async read(file: string): Promise<Buffer<ArrayBuffer>> {
    if (file === '-') return Buffer.from(await buffer(this.#streams.stdin));
    try {
      return Buffer.from(await readFile(file));
    } catch (error) {
      throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
    }
  }

  stream(file: string): Readable {
    return file === '-' ? this.#streams.stdin : createReadStream(file);
  }

  /** To a file, or to stdout for `-` and by default; a terminal is spared. */
  async write(file: string | undefined, bytes: Uint8Array): Promise<void> {
    if (file !== undefined && file !== '-') {
      await writeFile(file, bytes);
      this.note(`${file}: ${bytes.length} bytes`);
      return;
    }
    if (file === undefined && this.#streams.stdout.isTTY) {
      throw new UsageError(
        `The answer is ${bytes.length} bytes that are no text. Name a file: -o FILE, or -o - for the terminal.`,
      );
    }
    await new Promise<void>((resolve) => this.#streams.stdout.write(bytes, () => resolve()));
  }
}
