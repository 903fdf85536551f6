// Runs on the event loop: one for the requests of a turn, bounded in time, without those that nobody waits for any more.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import type { HereRun } from '../../src/runtime/pool.ts';
import type { LaneRun } from '../../src/serve/batcher.ts';
import { type HereLane, TurnBatcher, type TurnBatcherOptions } from '../../src/serve/turn-batcher.ts';

/** Doubles each value; remembers the rows of its runs. Its clock is what it says that a row takes. */
class DoublingLane implements HereLane {
  readonly inputSize = 1;
  readonly outputSize = 1;
  readonly runs: number[][] = [];
  secondsPerRow: number;
  isLoaded = true;

  constructor(secondsPerRow = 1e-6) {
    this.secondsPerRow = secondsPerRow;
  }

  async run(): Promise<LaneRun> {
    throw new Error('runs here, not in a thread');
  }

  prepareHere(rows: number): HereRun | undefined {
    if (!this.isLoaded) return undefined;
    const input = new Float32Array(rows);
    const run = () => {
      this.runs.push([...input]);
      return { data: input.map((value) => value * 2), finite: true, seconds: rows * this.secondsPerRow };
    };
    return { input, run };
  }
}

const batcherOf = (options: Partial<TurnBatcherOptions<DoublingLane>> = {}) =>
  new TurnBatcher<DoublingLane>({ maxRows: 64, maxWaiting: 100, deadlineMs: 10_000, ...options });

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'answered',
    (error) => error.code,
  );
const gone = { signal: AbortSignal.abort(), isOver: () => new HourglassError('cancelled', 'gone') };

describe('TurnBatcher', () => {
  it('merges the requests of one turn into one run, each gets its own rows', async () => {
    const [batcher, lane] = [batcherOf(), new DoublingLane()];
    const answers = await Promise.all(
      [1, 2, 3].map((value) => batcher.submit(lane, Float32Array.of(value, -value), 2)),
    );
    expect(answers.map((answer) => [...(answer?.data ?? [])])).toEqual([
      [2, -2],
      [4, -4],
      [6, -6],
    ]);
    expect(lane.runs).toEqual([[1, -1, 2, -2, 3, -3]]);
  });

  it('spends no more than its time in one turn, so that others get theirs in between', async () => {
    const batcher = batcherOf({ turnMs: 2 });
    const lane = new DoublingLane(1e-3);
    const order: string[] = [];
    const answers = [1, 2, 3, 4, 5].map((value) =>
      batcher.submit(lane, Float32Array.of(value), 1).then(() => order.push(`row ${value}`)),
    );
    await nextTurn();
    order.push('another turn');
    await Promise.all(answers);
    expect(lane.runs.every((rows) => rows.length <= 2)).toBe(true);
    expect(lane.runs.flat()).toEqual([1, 2, 3, 4, 5]);
    expect(order.indexOf('another turn')).toBeLessThan(order.indexOf('row 5'));
  });

  it('lets lanes take turns', async () => {
    const batcher = batcherOf({ turnMs: 1 });
    const [first, second] = [new DoublingLane(1e-3), new DoublingLane(1e-3)];
    const order: string[] = [];
    const ask = (lane: DoublingLane, name: string) =>
      batcher.submit(lane, Float32Array.of(1), 1).then(() => order.push(name));
    await Promise.all([ask(first, 'a'), ask(first, 'a'), ask(first, 'a'), ask(second, 'b')]);
    expect(order.indexOf('b')).toBeLessThan(order.lastIndexOf('a'));
  });

  it('says which requests are too long for a turn', () => {
    const batcher = batcherOf({ turnMs: 2, maxRows: 8 });
    expect(batcher.takes(new DoublingLane(1e-3), 2)).toBe(true);
    expect(batcher.takes(new DoublingLane(1e-3), 3)).toBe(false);
    expect(batcher.takes(new DoublingLane(1e-6), 9)).toBe(false);
  });

  it('takes out the rows that nobody waits for before it runs', async () => {
    const [batcher, lane] = [batcherOf(), new DoublingLane()];
    const lost = failure(batcher.submit(lane, Float32Array.of(1), 1, gone));
    const answered = batcher.submit(lane, Float32Array.of(2), 1, { ...gone, isOver: () => undefined });
    expect(await lost).toBe('cancelled');
    expect([...((await answered)?.data ?? [])]).toEqual([4]);
    expect(lane.runs).toEqual([[2]]);
  });

  it('takes out rows whose deadline has passed', async () => {
    const [batcher, lane] = [batcherOf({ deadlineMs: -1 }), new DoublingLane()];
    expect(await failure(batcher.submit(lane, Float32Array.of(1), 1))).toBe('deadline-exceeded');
    expect(lane.runs).toEqual([]);
  });

  it('refuses what is too much, and goes on after that', async () => {
    const [batcher, lane] = [batcherOf({ maxWaiting: 2 }), new DoublingLane()];
    const asked = [1, 2, 3].map((value) => failure(batcher.submit(lane, Float32Array.of(value), 1)));
    expect(await Promise.all(asked)).toEqual(['answered', 'answered', 'overloaded']);
    expect(await failure(batcher.submit(lane, Float32Array.of(4), 1))).toBe('answered');
  });

  it('gives no answer for a model that was unloaded meanwhile', async () => {
    const [batcher, lane] = [batcherOf(), new DoublingLane()];
    const asked = batcher.submit(lane, Float32Array.of(1), 1);
    lane.isLoaded = false;
    expect(await asked).toBeUndefined();
  });

  it('answers what is there when it closes, and refuses what comes', async () => {
    const [batcher, lane] = [batcherOf(), new DoublingLane()];
    const asked = failure(batcher.submit(lane, Float32Array.of(1), 1));
    const closed = batcher.close();
    expect(await failure(batcher.submit(lane, Float32Array.of(2), 1))).toBe('shutting-down');
    await closed;
    expect(await asked).toBe('answered');
  });
});
