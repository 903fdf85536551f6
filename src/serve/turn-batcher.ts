/**
 * Runs small models on the event loop: the requests of one turn are merged into one run for each lane, at the end of the turn.
 * That saves the way to a thread and back, which costs more than such a run.
 *
 *   turn of the event loop: requests ─► lanes ─► setImmediate ─► one run a lane ─► answers
 *
 * A turn spends at most `turnMs` in runs; what is left waits for the next turn, so that sockets, probes and other models get
 * theirs in between. Rows whose client is gone or whose deadline has passed are taken out before the run.
 */

import { HourglassError } from '../base/errors.ts';
import { turnClock } from '../platform/turn-clock.ts';
import type { BatchAnswer, BatchObserver, Lane, LaneRun } from './batcher.ts';
import type { Demand } from './predictor.ts';
import { deadlineError, overloadError } from './refusal.ts';

/** A lane whose runs are short enough for the event loop. */
export interface HereLane extends Lane {
  /** of a run on this thread, kept up to date by the batcher */
  secondsPerRow: number;
  /** Runs now, on this thread; undefined when the model is not loaded on it any more. */
  runHere(data: Float32Array<ArrayBuffer>, rows: number): LaneRun | undefined;
}

export interface TurnBatcherOptions<L extends HereLane> {
  /** rows of one run */
  readonly maxRows: number;
  /** requests that may wait */
  readonly maxWaiting: number;
  readonly deadlineMs: number;
  /** longest time of runs within one turn */
  readonly turnMs?: number;
  readonly observer?: BatchObserver<L>;
}

interface Entry {
  readonly data: Float32Array;
  readonly rows: number;
  readonly since: number;
  readonly demand: Demand | undefined;
  readonly trace: string | undefined;
  readonly resolve: (answer: BatchAnswer | undefined) => void;
  readonly reject: (reason: unknown) => void;
}

const defaultTurnMs = 2;
/** weight of the newest run in the estimate of a row's time */
const smoothing = 1 / 16;

export class TurnBatcher<L extends HereLane> {
  readonly #options: TurnBatcherOptions<L>;
  readonly #turnSeconds: number;
  /** by lane, the one whose turn it is first */
  readonly #lanes = new Map<L, Entry[]>();
  #waiting = 0;
  #scheduled = false;
  #closed = false;
  #whenEmpty: (() => void) | undefined;

  constructor(options: TurnBatcherOptions<L>) {
    this.#options = options;
    this.#turnSeconds = (options.turnMs ?? defaultTurnMs) / 1000;
  }

  /** Whether so many rows may run here: a run of them alone stays within a turn. */
  takes(lane: L, rows: number): boolean {
    return rows <= this.#options.maxRows && rows * lane.secondsPerRow <= this.#turnSeconds;
  }

  /**
   * Answers rows that were checked to fit the lane; undefined when the model was unloaded meanwhile. Throws `overloaded`,
   * `deadline-exceeded`, `shutting-down`, and what `demand` gives just before the run.
   */
  submit(lane: L, data: Float32Array, rows: number, demand?: Demand, trace?: string): Promise<BatchAnswer | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new HourglassError('shutting-down', 'The server is stopping. Try again in a moment.');
      if (this.#waiting >= this.#options.maxWaiting) throw overloadError(this.#waiting, this.#secondsLeft());
      this.#waiting++;
      const entry: Entry = { data, rows, since: turnClock.began, demand, trace, resolve, reject };
      const entries = this.#lanes.get(lane);
      if (entries) entries.push(entry);
      else this.#lanes.set(lane, [entry]);
      this.#schedule();
    });
  }

  /** Answers what is there, refuses what comes. */
  close(): Promise<void> {
    this.#closed = true;
    return new Promise((resolve) => {
      if (this.#waiting === 0) resolve();
      else this.#whenEmpty = resolve;
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  /** One turn: each lane in turn runs once, until the time is used up. */
  readonly #flush = (): void => {
    this.#scheduled = false;
    const { observer, maxRows } = this.#options;
    observer?.waiting(this.#waiting);
    const begun = performance.now();
    for (const [lane, entries] of [...this.#lanes]) {
      const left = this.#turnSeconds - (performance.now() - begun) / 1000;
      if (left <= 0) break;
      const fitting = Math.max(1, Math.floor(left / lane.secondsPerRow));
      this.#run(lane, this.#take(entries, Math.min(maxRows, fitting)));
      this.#lanes.delete(lane);
      // Behind the other lanes, when there is more.
      if (entries.length > 0) this.#lanes.set(lane, entries);
    }
    if (this.#waiting > 0) this.#schedule();
    else this.#whenEmpty?.();
  };

  /** Takes entries from the front, at least one and at most `room` rows; ends those that nobody waits for any more. */
  #take(entries: Entry[], room: number): Entry[] {
    const taken: Entry[] = [];
    const now = performance.now();
    let rows = 0;
    let at = 0;
    for (; at < entries.length; at++) {
      const entry = entries[at]!;
      if (taken.length > 0 && rows + entry.rows > room) break;
      const over = entry.demand?.isOver() ?? (now - entry.since > this.#options.deadlineMs ? this.#late() : undefined);
      if (over) {
        entry.reject(over);
        this.#waiting--;
        continue;
      }
      rows += entry.rows;
      taken.push(entry);
    }
    entries.splice(0, at);
    this.#waiting -= taken.length;
    return taken;
  }

  #run(lane: L, entries: readonly Entry[]): void {
    const [first] = entries;
    if (!first) return;
    const { observer } = this.#options;
    const start = performance.now();
    const rows = entries.reduce((sum, entry) => sum + entry.rows, 0);
    const data = new Float32Array(rows * lane.inputSize);
    let at = 0;
    for (const entry of entries) {
      data.set(entry.data, at);
      at += entry.data.length;
      observer?.waited(lane, (start - entry.since) / 1000, entry.trace);
    }
    try {
      const result = lane.runHere(data, rows);
      if (result) {
        observer?.ran(lane, rows, result.seconds, first.trace);
        observer?.traced?.(lane, { requests: entries, rows, start, end: performance.now(), where: 'here' });
        lane.secondsPerRow += (result.seconds / rows - lane.secondsPerRow) * smoothing;
      }
      at = 0;
      for (const { rows: own, resolve } of entries) {
        const length = own * lane.outputSize;
        resolve(result && { data: result.data.subarray(at, at + length), finite: result.finite });
        at += length;
      }
    } catch (error) {
      observer?.traced?.(lane, { requests: entries, rows, start, end: performance.now(), where: 'here', error });
      for (const { reject } of entries) reject(error);
    }
  }

  #secondsLeft(): number {
    let seconds = 0;
    for (const [lane, entries] of this.#lanes) {
      for (const { rows } of entries) seconds += rows * lane.secondsPerRow;
    }
    return seconds;
  }

  #late = (): HourglassError => deadlineError(this.#options.deadlineMs);
}
