// How requests are merged, kept in order, bounded, cancelled: the lane's runs are held here until the test lets them go.
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Batcher, type BatcherOptions, type Lane } from '../../src/serve/batcher.ts';
import { failure } from './serving.ts';

interface HeldRun {
  readonly values: number[];
  finish(): void;
  fail(error: unknown): void;
}

/** One value in, two out: the value and its double. Runs wait to be finished unless `free`. */
function lane(free = false): Lane & { runs: HeldRun[] } {
  const runs: HeldRun[] = [];
  return {
    inputSize: 1,
    outputSize: 2,
    runs,
    run(data) {
      const values = [...data];
      const answer = { data: Float32Array.from(values.flatMap((v) => [v, 2 * v])), finite: true, seconds: 0.001 };
      if (free) {
        runs.push({ values, finish() {}, fail() {} });
        return Promise.resolve(answer);
      }
      return new Promise((resolve, reject) => {
        runs.push({ values, finish: () => resolve(answer), fail: reject });
      });
    },
  };
}

function openBatcher(options: Partial<BatcherOptions<Lane>> = {}): Batcher<Lane> {
  return new Batcher({
    ...{ slots: 1, maxRows: 4, maxWaiting: 10, maxWaitingBytes: 1e6, windowMs: 0, deadlineMs: 10_000 },
    ...options,
  });
}

function submit(batcher: Batcher<Lane>, to: Lane, ...values: number[]): Promise<number[]> {
  const answer = batcher.submit(to, Float32Array.from(values), values.length).then(({ data }) => [...data]);
  // One that a test leaves unanswered ends at its deadline, during another test.
  answer.catch(() => undefined);
  return answer;
}

/** the values of each run so far */
const seen = (of: { runs: HeldRun[] }) => of.runs.map((run) => run.values);
const settle = () => sleep(1);

describe('merging', () => {
  it('runs at once while a slot is free, and together what came meanwhile', async () => {
    const [batcher, one] = [openBatcher(), lane()];
    const answers = [submit(batcher, one, 1), submit(batcher, one, 2), submit(batcher, one, 3, 4)];
    expect(seen(one)).toEqual([[1]]);
    one.runs[0]!.finish();
    await settle();
    expect(seen(one)).toEqual([[1], [2, 3, 4]]);
    one.runs[1]!.finish();
    expect(await Promise.all(answers)).toEqual([
      [1, 2],
      [2, 4],
      [3, 6, 4, 8],
    ]);
  });

  it('never puts more rows into a run than allowed; a large request goes in pieces, in turn with others', async () => {
    const [batcher, one] = [openBatcher(), lane(true)];
    const large = Array.from({ length: 10 }, (_, i) => i);
    const answers = await Promise.all([
      submit(batcher, one, 100),
      submit(batcher, one, ...large),
      submit(batcher, one, 101),
      submit(batcher, one, 102, 103),
    ]);
    expect(seen(one)).toEqual([[100], [0, 1, 2, 3], [101, 102, 103, 4], [5, 6, 7, 8], [9]]);
    expect(answers[1]).toEqual(large.flatMap((v) => [v, 2 * v]));
    expect(answers[3]).toEqual([102, 204, 103, 206]);
  });

  it('takes lanes in turn and never mixes them', async () => {
    const [batcher, one, two] = [openBatcher(), lane(true), lane(true)];
    const order: string[] = [];
    const mark = (name: string) => () => order.push(name);
    await Promise.all([
      submit(batcher, one, 1).then(mark('one')),
      submit(batcher, one, 2, 3, 4, 5).then(mark('one')),
      submit(batcher, one, 6, 7, 8, 9).then(mark('one')),
      submit(batcher, two, 21).then(mark('two')),
      submit(batcher, two, 22).then(mark('two')),
    ]);
    expect(seen(two)).toEqual([[21, 22]]);
    expect(order).toEqual(['one', 'one', 'two', 'two', 'one']);
  });

  it('uses as many slots as there are', async () => {
    const [batcher, one] = [openBatcher({ slots: 3 }), lane()];
    for (const value of [1, 2, 3, 4, 5]) void submit(batcher, one, value);
    expect(seen(one)).toEqual([[1], [2], [3]]);
    one.runs[1]!.finish();
    await settle();
    expect(seen(one)).toEqual([[1], [2], [3], [4, 5]]);
  });

  it('holds a run with room back for the window, a full one not', async () => {
    const [batcher, one] = [openBatcher({ windowMs: 30 }), lane(true)];
    const answers = [submit(batcher, one, 1), submit(batcher, one, 2)];
    expect(seen(one)).toEqual([]);
    await Promise.all(answers);
    expect(seen(one)).toEqual([[1, 2]]);
    const full = submit(batcher, one, 3, 4, 5, 6);
    expect(seen(one)).toEqual([
      [1, 2],
      [3, 4, 5, 6],
    ]);
    await full;
  });

  it('gives everyone their own rows, whatever arrives and however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ rows: fc.integer({ min: 1, max: 15 }), lane: fc.nat(2), later: fc.boolean() }), {
          maxLength: 40,
        }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 8 }),
        async (requests, slots, maxRows) => {
          const batcher = openBatcher({ slots, maxRows, maxWaiting: 100 });
          const lanes = [lane(true), lane(true), lane(true)];
          let next = 0;
          const answers: Promise<void>[] = [];
          for (const { rows, lane: at, later } of requests) {
            if (later) await null;
            const values = Array.from({ length: rows }, () => next++);
            const check = (data: number[]) => expect(data).toEqual(values.flatMap((v) => [v, 2 * v]));
            answers.push(submit(batcher, lanes[at]!, ...values).then(check));
          }
          await Promise.all(answers);
          const ran = lanes.flatMap(seen);
          expect(Math.max(0, ...ran.map((values) => values.length))).toBeLessThanOrEqual(maxRows);
          expect(ran.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: next }, (_, i) => i));
          await batcher.close();
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe('limits', () => {
  it('refuses what is too much, with a time to come back, and recovers', async () => {
    const [batcher, one] = [openBatcher({ maxWaiting: 3 }), lane()];
    const answers = [1, 2, 3, 4].map((value) => submit(batcher, one, value));
    const refused = await failure(submit(batcher, one, 5));
    expect(refused).toMatchObject({ code: 'overloaded', facts: { retryAfter: expect.any(Number) } });
    expect(refused.facts.retryAfter).toBeGreaterThanOrEqual(1);
    one.runs[0]!.finish();
    await settle();
    answers.push(submit(batcher, one, 6));
    one.runs[1]!.finish();
    await settle();
    one.runs[2]!.finish();
    expect((await Promise.all(answers)).map(([value]) => value)).toEqual([1, 2, 3, 4, 6]);
    expect(seen(one)).toEqual([[1], [2, 3, 4], [6]]);
  });

  it('bounds the memory that waits, but always lets one request in', async () => {
    const [batcher, one] = [openBatcher({ maxWaitingBytes: 16 }), lane()];
    const answers = [submit(batcher, one, 1), submit(batcher, one, 2, 3, 4, 5, 6)];
    expect((await failure(submit(batcher, one, 7))).code).toBe('overloaded');
    for (let i = 0; i < 3; i++) {
      one.runs[i]!.finish();
      await settle();
    }
    await Promise.all(answers);
  });

  it('ends what is not answered by its deadline, waiting or running', async () => {
    const [batcher, one] = [openBatcher({ deadlineMs: 30 }), lane()];
    const codes = await Promise.all([failure(submit(batcher, one, 1)), failure(submit(batcher, one, 2))]);
    expect(codes.map((error) => error.code)).toEqual(['deadline-exceeded', 'deadline-exceeded']);
    one.runs[0]!.finish();
    await settle();
    // what had not begun never runs, and the slot is free again
    expect(seen(one)).toEqual([[1]]);
    const next = submit(batcher, one, 3);
    one.runs[1]!.finish();
    expect(await next).toEqual([3, 6]);
  });
});

describe('an aborted request', () => {
  it('never runs when it waits, and frees its place', async () => {
    const [batcher, one] = [openBatcher({ maxWaiting: 1 }), lane()];
    const first = submit(batcher, one, 1);
    const abort = new AbortController();
    const waiting = failure(batcher.submit(one, Float32Array.of(2), 1, abort.signal));
    expect((await failure(submit(batcher, one, 3))).code).toBe('overloaded');
    abort.abort();
    expect((await waiting).code).toBe('cancelled');
    const last = submit(batcher, one, 4);
    one.runs[0]!.finish();
    await settle();
    one.runs[1]!.finish();
    expect([await first, await last]).toEqual([
      [1, 2],
      [4, 8],
    ]);
    expect(seen(one)).toEqual([[1], [4]]);
  });

  it('stops between its pieces', async () => {
    const [batcher, one] = [openBatcher(), lane()];
    const abort = new AbortController();
    const cut = failure(batcher.submit(one, new Float32Array(12), 12, abort.signal));
    abort.abort();
    expect((await cut).code).toBe('cancelled');
    one.runs[0]!.finish();
    await settle();
    expect(one.runs.length).toBe(1);
    await batcher.close();
  });

  it('is told why', async () => {
    const [batcher, one] = [openBatcher(), lane()];
    void submit(batcher, one, 1);
    const late = failure(batcher.submit(one, Float32Array.of(2), 1, AbortSignal.timeout(5)));
    expect((await late).code).toBe('deadline-exceeded');
    const gone = failure(batcher.submit(one, Float32Array.of(2), 1, AbortSignal.abort()));
    expect((await gone).code).toBe('cancelled');
  });
});

describe('a run that fails', () => {
  it('fails the requests in it and no others', async () => {
    const [batcher, one] = [openBatcher(), lane()];
    const first = failure(submit(batcher, one, 1));
    const second = submit(batcher, one, 2);
    const reason = new Error('thread gone');
    one.runs[0]!.fail(reason);
    expect(await first).toBe(reason);
    one.runs[1]!.finish();
    expect(await second).toEqual([2, 4]);
  });
});

describe('closing', () => {
  it('answers what is there and refuses what comes', async () => {
    const [batcher, one] = [openBatcher(), lane()];
    const answers = [submit(batcher, one, 1), submit(batcher, one, 2)];
    const closed = batcher.close();
    expect((await failure(submit(batcher, one, 3))).code).toBe('shutting-down');
    one.runs[0]!.finish();
    await settle();
    one.runs[1]!.finish();
    expect(await Promise.all(answers)).toEqual([
      [1, 2],
      [2, 4],
    ]);
    await closed;
    await batcher.close();
  });
});
