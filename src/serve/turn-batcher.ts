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
import type { HereRun } from '../runtime/pool.ts';
import type { BatchAnswer, BatchObserver, Lane, LaneRun } from './batcher.ts';
import type { Demand } from './predictor.ts';
import { deadlineError, overloadError } from './refusal.ts';

/** A lane whose runs are short enough for the event loop. */
export interface HereLane extends Lane {
  /** of a run on this thread, kept up to date by the batcher */
  secondsPerRow: number;
  /** A run on this thread; undefined when the model is not loaded on it any more. */
  prepareHere(rows: number): HereRun | undefined;
}

/** Who waits for the answer to rows: told once, by one of these. They must not throw: others share the run. */
export interface Receiver {
  /** `data` is overwritten by the next run; `finite` is false when it may hold NaN or infinity */
  answered(data: Float32Array, finite: boolean): void;
  /** The model is not on this thread any more. */
  unloaded(): void;
  failed(error: unknown): void;
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
  readonly entered: number;
  readonly receiver: Receiver;
  readonly demand: Demand | undefined;
  readonly trace: string | undefined;
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
   * Tells `receiver` the answer to rows that were checked to fit the lane, or that it failed with `deadline-exceeded` or what
   * `demand` gives just before the run. Throws `overloaded`, `shutting-down`.
   */
  add(lane: L, data: Float32Array, rows: number, receiver: Receiver, demand?: Demand, trace?: string): void {
    if (this.#closed) throw new HourglassError('shutting-down', 'The server is stopping. Try again in a moment.');
    if (this.#waiting >= this.#options.maxWaiting) throw overloadError(this.#waiting, this.#secondsLeft());
    this.#waiting++;
    const entry: Entry = { data, rows, since: turnClock.began, entered: performance.now(), receiver, demand, trace };
    const entries = this.#lanes.get(lane);
    if (entries) entries.push(entry);
    else this.#lanes.set(lane, [entry]);
    this.#schedule();
  }

  /** As `add`; the answer is the caller's, undefined when the model was unloaded meanwhile. */
  submit(lane: L, data: Float32Array, rows: number, demand?: Demand, trace?: string): Promise<BatchAnswer | undefined> {
    return new Promise((resolve, reject) => {
      const receiver: Receiver = {
        answered: (values, finite) => resolve({ data: values.slice(), finite }),
        unloaded: () => resolve(undefined),
        failed: reject,
      };
      this.add(lane, data, rows, receiver, demand, trace);
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
      // Behind the other lanes, when there is more.
      this.#lanes.delete(lane);
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
        entry.receiver.failed(over);
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
    let rows = 0;
    for (const entry of entries) rows += entry.rows;
    let result: LaneRun | undefined;
    try {
      const run = lane.prepareHere(rows);
      let at = 0;
      for (const { data, since, entered, trace } of entries) {
        run?.input.set(data, at);
        at += data.length;
        observer?.waited(lane, (start - since) / 1000, (start - entered) / 1000, trace);
      }
      result = run?.run();
    } catch (error) {
      observer?.traced?.(lane, { requests: entries, rows, start, end: performance.now(), where: 'here', error });
      for (const { receiver } of entries) receiver.failed(error);
      return;
    }
    if (result) {
      observer?.ran(lane, rows, result.seconds, first.trace);
      observer?.traced?.(lane, { requests: entries, rows, start, end: performance.now(), where: 'here' });
      lane.secondsPerRow += (result.seconds / rows - lane.secondsPerRow) * smoothing;
    }
    let at = 0;
    for (const { rows: own, receiver } of entries) {
      const end = at + own * lane.outputSize;
      if (result) receiver.answered(result.data.subarray(at, end), result.finite);
      else receiver.unloaded();
      at = end;
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
