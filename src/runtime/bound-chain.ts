/**
 * Runs of a model's parts in memory that stays where it is: the caller puts rows in, runs, and reads what came out before the next
 * run. Nothing is allocated once a number of rows has been run, and the tensors around the memory are made once for each number.
 */

import type { Session } from './session.ts';
import type { RunResult } from './thread-protocol.ts';

export interface ChainPart {
  readonly session: Session;
  readonly inputName: string;
  readonly outputName: string;
  readonly inputRow: readonly number[];
  readonly outputRow: readonly number[];
  readonly inputSize: number;
  readonly outputSize: number;
}

/** A run of a certain number of rows on this thread: put them into `input`, then run. */
export interface HereRun {
  readonly input: Float32Array<ArrayBuffer>;
  /** Blocks. The next run of the chain may overwrite `data` of what comes back. */
  run(): RunResult;
}

/** of the memory of one chain */
const mostValues = 256 * 1024;

export class BoundChain {
  /** a run of more rows does not fit */
  readonly mostRows: number;
  /** values of a row */
  readonly inputSize: number;
  readonly #parts: readonly ChainPart[];
  /** the input of the first part, then the output of each */
  readonly #memory: readonly Float32Array<ArrayBuffer>[];
  /** by number of rows */
  readonly #runs: (HereRun | undefined)[] = [];

  constructor(parts: readonly ChainPart[], mostRows: number) {
    this.inputSize = parts[0]?.inputSize ?? 0;
    const sizes = [this.inputSize, ...parts.map(({ outputSize }) => outputSize)];
    const rowValues = sizes.reduce((sum, size) => sum + size, 0);
    this.mostRows = Math.min(mostRows, Math.floor(mostValues / rowValues));
    this.#parts = parts;
    this.#memory = sizes.map((size) => new Float32Array(size * this.mostRows));
  }

  /** `rows` are at most `mostRows`. */
  of(rows: number): HereRun {
    const known = this.#runs[rows];
    if (known) return known;
    const bound = this.#bind(rows);
    this.#runs[rows] = bound;
    return bound;
  }

  #bind(rows: number): HereRun {
    const views = this.#memory.map((memory) => memory.subarray(0, (memory.length / this.mostRows) * rows));
    const steps = this.#parts.map((part, i) => {
      const { session, inputName, outputName, inputRow, outputRow } = part;
      return session.bind(
        { [inputName]: { dtype: 'float32', shape: [rows, ...inputRow], data: views[i]! } },
        { [outputName]: { dtype: 'float32', shape: [rows, ...outputRow], data: views[i + 1]! } },
      );
    });
    const output = views.at(-1)!;
    return {
      input: views[0]!,
      run() {
        const start = performance.now();
        for (const step of steps) step();
        return { data: output, finite: allFinite(output), seconds: (performance.now() - start) / 1000 };
      },
    };
  }
}

/** A sum of zeros as long as every value is finite: 0 · NaN and 0 · ∞ are NaN. */
export function allFinite(values: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  return sum === 0;
}
