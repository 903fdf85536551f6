// An HTTP/1.1 connection that stays open from request to request, and reads one whole answer each.
import { connect, type Socket } from 'node:net';
import type { RestAnswer } from './contract.ts';

export interface Exchange {
  /** undefined: none came, or none that can be read */
  readonly answer: RestAnswer | undefined;
  /** all that came */
  readonly received: Buffer;
}

const answerMs = 60_000;
/** Streams of events have no end: this long after its first bytes one has said enough. */
const streamMs = 100;
/** A damaged request may have no end that the server can see. */
const damagedMs = 300;

export class RestConnection {
  readonly #port: number;
  readonly #address: string;
  #socket: Socket | undefined;

  constructor(port: number, address: string) {
    this.#port = port;
    this.#address = address;
  }

  async exchange(bytes: Buffer, isHead: boolean): Promise<Exchange> {
    const isFresh = this.#socket === undefined;
    const result = await this.#once(bytes, isHead);
    // The server may close an idle connection while the request is on its way.
    return result.received.length === 0 && !isFresh ? this.#once(bytes, isHead) : result;
  }

  #once(bytes: Buffer, isHead: boolean): Promise<Exchange> {
    this.#socket ??= connect({ port: this.#port, host: '127.0.0.1', localAddress: this.#address }).on(
      'error',
      () => {},
    );
    const socket = this.#socket;
    return new Promise((resolve) => {
      let received: Buffer = Buffer.alloc(0);
      let timer = setTimeout(() => end(true), answerMs);
      const end = (isOver: boolean): void => {
        clearTimeout(timer);
        socket.off('data', read).off('close', close);
        const parsed = parseAnswer(received, isHead, true);
        if (isOver || parsed?.answer.headers.connection === 'close') this.close();
        resolve({ answer: parsed?.answer, received });
      };
      const close = (): void => end(true);
      const read = (chunk: Buffer): void => {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
        const parsed = parseAnswer(received, isHead, false);
        if (parsed?.isWhole) return end(false);
        if (parsed?.answer.headers['content-type'] === 'text/event-stream') {
          clearTimeout(timer);
          timer = setTimeout(() => end(true), streamMs);
        }
      };
      socket.on('data', read).on('close', close);
      socket.write(bytes);
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }
}

/** On a connection of its own, whose end tells the server that no more comes. */
export function exchangeDamaged(port: number, address: string, bytes: Buffer): Promise<Exchange> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: address, allowHalfOpen: true });
    const chunks: Buffer[] = [];
    const timer = setTimeout(() => socket.destroy(), damagedMs);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('end', () => socket.destroy()).on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      const received = Buffer.concat(chunks);
      resolve({ answer: parseAnswer(received, false, true)?.answer, received });
    });
    socket.end(bytes);
  });
}

interface Parsed {
  readonly answer: RestAnswer;
  readonly isWhole: boolean;
}

/** The first answer in `bytes`; undefined while its head is not there. `isClosed`: no more comes. */
export function parseAnswer(bytes: Buffer, isHead: boolean, isClosed: boolean): Parsed | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(first)?.[1] ?? 0);
  if (status === 0) return undefined;
  if (status === 100) return parseAnswer(bytes.subarray(end + 4), isHead, isClosed);
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const rest = bytes.subarray(end + 4);
  const withBody = (body: Buffer, isWhole: boolean): Parsed => ({ answer: { status, headers, body }, isWhole });
  if (isHead || status === 204 || status === 304) return withBody(Buffer.alloc(0), true);
  if (headers['transfer-encoding'] === 'chunked') return unchunked(rest, withBody);
  const length = headers['content-length'];
  if (length === undefined) return withBody(rest, isClosed);
  return withBody(rest.subarray(0, Number(length)), rest.length >= Number(length));
}

function unchunked(bytes: Buffer, withBody: (body: Buffer, isWhole: boolean) => Parsed): Parsed {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = bytes.indexOf('\r\n', at);
    const size = line < 0 ? Number.NaN : Number.parseInt(bytes.subarray(at, line).toString('latin1'), 16);
    if (size === 0) return withBody(Buffer.concat(pieces), bytes.indexOf('\r\n\r\n', line) >= 0);
    if (!(size > 0) || bytes.length < line + 2 + size + 2) return withBody(Buffer.concat(pieces), false);
    pieces.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}
