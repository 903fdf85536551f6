/**
 * Merges requests for the same model version and operation into one run. While a thread is free a request runs at once;
 * while all are busy requests gather, so that batches grow with the load and cost no waiting without it.
 *
 *   requests ─► lane digits@2 encode  [■■][■][■■■…] ─┐ round robin
 *   requests ─► lane digits@2 decode  [■]           ─┼─► at most `slots` runs at a time ─► each request its own rows
 *   requests ─► lane faces@7 encode   [■][■]        ─┘
 *
 * A request with more rows than one run may have is run in pieces, in turn with the others. ONNX Runtime gives a row the same
 * bits in whatever batch it is (test/runtime/pool.test.ts), so nobody can tell from an answer how it was batched.
 */

import { HourglassError } from '../base/errors.ts';
import { turnClock } from '../platform/turn-clock.ts';
import { abortError, deadlineError, overloadError } from './refusal.ts';

/** Runs of one model version and operation; requests of one lane may share a run. */
export interface Lane {
  /** values of a row on either side */
  readonly inputSize: number;
  readonly outputSize: number;
  /** takes over `data` */
  run(data: Float32Array<ArrayBuffer>, rows: number): Promise<LaneRun>;
}

export interface LaneRun {
  readonly data: Float32Array;
  /** none of `data` is NaN or infinite */
  readonly finite: boolean;
  readonly seconds: number;
}

export interface BatchAnswer {
  readonly data: Float32Array;
  /** false when `data` may hold NaN or infinity, perhaps in rows of others that shared a run */
  readonly finite: boolean;
}

export interface BatcherOptions<L extends Lane> {
  /** runs at a time */
  readonly slots: number;
  /** rows of one run */
  readonly maxRows: number;
  /** requests that may wait */
  readonly maxWaiting: number;
  /** memory of waiting rows */
  readonly maxWaitingBytes: number;
  /** a run with room is held back this long for others to join */
  readonly windowMs: number;
  /** longest time from `submit` to the answer */
  readonly deadlineMs: number;
  readonly observer?: BatchObserver<L>;
}

/** Durations are seconds; `trace` is the position of a request in its trace (src/base/traceparent.ts). */
export interface BatchObserver<L extends Lane> {
  waiting(requests: number): void;
  /** `seconds` since the request arrived, `inLane` of them behind others of its lane */
  waited(lane: L, seconds: number, inLane: number, trace: string | undefined): void;
  /** `trace` is that of the first request */
  ran(lane: L, rows: number, seconds: number, trace: string | undefined): void;
  /** told of each run as a whole when it is over; absent: nobody traces */
  readonly traced?: ((lane: L, run: TracedRun) => void) | undefined;
}

/** A run and the requests that shared it. Times are on the clock of performance.now(). */
export interface TracedRun {
  readonly requests: readonly { readonly trace: string | undefined; readonly since: number }[];
  readonly rows: number;
  readonly start: number;
  readonly end: number;
  readonly where: 'here' | 'thread';
  readonly error?: unknown;
}

interface Entry<L extends Lane> {
  readonly lane: L;
  readonly data: Float32Array;
  readonly rows: number;
  /** arrived and entered the lane, as `performance.now()` tells it */
  readonly since: number;
  readonly entered: number;
  readonly resolve: (answer: BatchAnswer) => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal | undefined;
  readonly trace: string | undefined;
  readonly abort: () => void;
  /** rows given to runs, and answered by them */
  started: number;
  answered: number;
  finite: boolean;
  /** filled piece by piece when the rows did not go into one run */
  output: Float32Array | undefined;
}

interface Piece<L extends Lane> {
  readonly entry: Entry<L>;
  readonly from: number;
  readonly rows: number;
}

const sweepMs = 50;

export class Batcher<L extends Lane> {
  readonly #options: BatcherOptions<L>;
  /** by lane, the one whose turn it is first */
  readonly #lanes = new Map<L, Entry<L>[]>();
  /** every request that is not answered yet */
  readonly #open = new Set<Entry<L>>();
  #waiting = 0;
  #waitingBytes = 0;
  #running = 0;
  #secondsPerRow = 0;
  #timer: NodeJS.Timeout | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;
  #whenEmpty: (() => void) | undefined;

  constructor(options: BatcherOptions<L>) {
    this.#options = options;
  }

  /**
   * Answers rows that were checked to fit the lane. Throws `overloaded` when too much waits, `deadline-exceeded`,
   * `cancelled` when the signal aborts, `shutting-down`.
   */
  submit(lane: L, data: Float32Array, rows: number, signal?: AbortSignal, trace?: string): Promise<BatchAnswer> {
    return new Promise((resolve, reject) => {
      this.#admit(data, signal);
      const entry: Entry<L> = {
        ...{ lane, data, rows, signal, trace, resolve, reject },
        ...{ since: turnClock.began, entered: performance.now() },
        ...{ started: 0, answered: 0, finite: true, output: undefined },
        abort: () => this.#settle(entry, () => reject(abortError(signal))),
      };
      signal?.addEventListener('abort', entry.abort);
      this.#open.add(entry);
      this.#wait(1, data.byteLength);
      const entries = this.#lanes.get(lane);
      if (entries) entries.push(entry);
      else this.#lanes.set(lane, [entry]);
      this.#sweeper ??= setInterval(() => this.#sweep(), sweepMs);
      this.#dispatch();
    });
  }

  /** Answers what is there, refuses what comes. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#whenEmpty = resolve;
      if (this.#open.size === 0) resolve();
    });
    return this.#closed;
  }

  #admit(data: Float32Array, signal: AbortSignal | undefined): void {
    if (this.#closed) throw new HourglassError('shutting-down', 'The server is stopping. Try again in a moment.');
    if (signal?.aborted) throw abortError(signal);
    const { maxWaiting, maxWaitingBytes, slots } = this.#options;
    const full = this.#waiting >= maxWaiting || this.#waitingBytes + data.byteLength > maxWaitingBytes;
    if (!full || this.#waiting === 0) return;
    let rows = 0;
    for (const entry of this.#open) rows += entry.rows;
    throw overloadError(this.#waiting, (rows * this.#secondsPerRow) / slots);
  }

  /** Starts runs while there are slots and lanes whose time has come. */
  #dispatch(): void {
    const { slots, maxRows, windowMs } = this.#options;
    const now = performance.now();
    let wake = Number.POSITIVE_INFINITY;
    for (const [lane, entries] of this.#lanes) {
      if (this.#running >= slots) return;
      const due = (entries[0]?.since ?? 0) + windowMs;
      if (due > now && entries.reduce((sum, entry) => sum + entry.rows - entry.started, 0) < maxRows) {
        wake = Math.min(wake, due);
        continue;
      }
      const pieces = this.#take(entries);
      // behind the others, if there is more
      this.#lanes.delete(lane);
      if (entries.length > 0) this.#lanes.set(lane, entries);
      void this.#run(lane, pieces);
    }
    if (wake < Number.POSITIVE_INFINITY) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#dispatch(), wake - now);
    }
  }

  #take(entries: Entry<L>[]): Piece<L>[] {
    const pieces: Piece<L>[] = [];
    let room = this.#options.maxRows;
    for (let entry = entries.shift(); entry; entry = room > 0 ? entries.shift() : undefined) {
      if (entry.started === 0) this.#startedWaiting(entry);
      const rows = Math.min(room, entry.rows - entry.started);
      pieces.push({ entry, from: entry.started, rows });
      entry.started += rows;
      room -= rows;
      if (entry.started < entry.rows) entries.push(entry);
    }
    return pieces;
  }

  #startedWaiting(entry: Entry<L>): void {
    this.#wait(-1, -entry.data.byteLength);
    const now = performance.now();
    const { lane, since, entered, trace } = entry;
    this.#options.observer?.waited(lane, (now - since) / 1000, (now - entered) / 1000, trace);
  }

  async #run(lane: L, pieces: readonly Piece<L>[]): Promise<void> {
    const rows = pieces.reduce((sum, piece) => sum + piece.rows, 0);
    const data = new Float32Array(rows * lane.inputSize);
    let at = 0;
    for (const { entry, from, rows: count } of pieces) {
      data.set(entry.data.subarray(from * lane.inputSize, (from + count) * lane.inputSize), at);
      at += count * lane.inputSize;
    }
    this.#running++;
    const start = performance.now();
    try {
      const result = await lane.run(data, rows);
      this.#options.observer?.ran(lane, rows, result.seconds, pieces[0]?.entry.trace);
      this.#trace(lane, pieces, rows, start);
      at = 0;
      for (const piece of pieces) {
        this.#answer(piece, result.data.subarray(at, at + piece.rows * lane.outputSize), result.finite);
        at += piece.rows * lane.outputSize;
      }
    } catch (error) {
      this.#trace(lane, pieces, rows, start, error);
      for (const { entry } of pieces) this.#settle(entry, () => entry.reject(error));
    } finally {
      this.#running--;
      const seconds = (performance.now() - start) / 1000 / rows;
      this.#secondsPerRow += (seconds - this.#secondsPerRow) / 8;
      this.#dispatch();
    }
  }

  #trace(lane: L, pieces: readonly Piece<L>[], rows: number, start: number, error?: unknown): void {
    const { observer } = this.#options;
    if (!observer?.traced) return;
    const requests = pieces.map(({ entry }) => entry);
    observer.traced(lane, { requests, rows, start, end: performance.now(), where: 'thread', error });
  }

  #answer({ entry, from, rows }: Piece<L>, part: Float32Array, finite: boolean): void {
    entry.finite &&= finite;
    entry.answered += rows;
    if (rows === entry.rows) entry.output = part;
    else {
      entry.output ??= new Float32Array(entry.rows * entry.lane.outputSize);
      entry.output.set(part, from * entry.lane.outputSize);
    }
    const { output } = entry;
    if (entry.answered === entry.rows) this.#settle(entry, () => entry.resolve({ data: output, finite: entry.finite }));
  }

  /** Ends a request once; what of it still waits is dropped, what runs is ignored. */
  #settle(entry: Entry<L>, how: () => void): void {
    if (!this.#open.delete(entry)) return;
    entry.signal?.removeEventListener('abort', entry.abort);
    if (entry.started < entry.rows) {
      if (entry.started === 0) this.#wait(-1, -entry.data.byteLength);
      const entries = this.#lanes.get(entry.lane) ?? [];
      entries.splice(entries.indexOf(entry), 1);
      if (entries.length === 0) this.#lanes.delete(entry.lane);
    }
    how();
    if (this.#open.size > 0) return;
    clearTimeout(this.#timer);
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    this.#whenEmpty?.();
  }

  #sweep(): void {
    const { deadlineMs } = this.#options;
    const limit = performance.now() - deadlineMs;
    for (const entry of this.#open) {
      if (entry.since > limit) break; // in order of arrival
      this.#settle(entry, () => entry.reject(deadlineError(deadlineMs)));
    }
  }

  #wait(requests: number, bytes: number): void {
    this.#waiting += requests;
    this.#waitingBytes += bytes;
    this.#options.observer?.waiting(this.#waiting);
  }
}
