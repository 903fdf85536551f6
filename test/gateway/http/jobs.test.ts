// Jobs over REST on a real queue: submission and its key, pages, events as they are read by browsers, and a queue that is gone.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../../src/jobspec/job.ts';
import { JobConsumer } from '../../../src/queue/job-consumer.ts';
import { restRefusal } from '../../conformance/both.ts';
import { consumerSettings, quiet, until } from '../../queue/fixtures.ts';
import { startGateway, type TestGateway } from './harness.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ config: { heartbeatMs: 150, maxWatchers: 2, clientShare: 100 } });
});
afterAll(() => gateway.stop());

const spec = (name: string) => ({ name, dataset: 'mnist', model: { type: 'dense' } });
const submit = async (name: string, headers?: Record<string, string>) => {
  const answer = await gateway.rest.send('POST', '/v1/jobs', spec(name), headers);
  return { ...answer, job: answer.json as JobView };
};
const url = (target: string): string => `http://127.0.0.1:${gateway.port}${target}`;

interface Frame {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** Reads a stream as a browser does, field by field. */
class EventReader {
  readonly response: Response;
  readonly comments: string[] = [];
  readonly #abort: AbortController;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #text = '';

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    this.#chunks = (response.body as ReadableStream<Uint8Array>)[Symbol.asyncIterator]();
  }

  static async open(id: string, headers: Record<string, string> = {}): Promise<EventReader> {
    const abort = new AbortController();
    const response = await fetch(url(`/v1/jobs/${id}/events`), { headers, signal: abort.signal });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    return new EventReader(response, abort);
  }

  /** undefined at the end of the stream */
  async next(): Promise<Frame | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end < 0) {
        const chunk = await this.#chunks.next();
        if (chunk.done) return undefined;
        this.#text += Buffer.from(chunk.value).toString();
        continue;
      }
      const lines = this.#text.slice(0, end).split('\n');
      this.#text = this.#text.slice(end + 2);
      const fields = Object.fromEntries(lines.map((line) => line.split(/: ?(.*)/s, 2)));
      this.comments.push(...lines.filter((line) => line.startsWith(':')));
      if (fields.data !== undefined) return { id: fields.id, event: fields.event, data: JSON.parse(fields.data) };
    }
  }

  close(): void {
    this.#abort.abort();
  }
}

async function framesOf(reader: EventReader): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (let frame = await reader.next(); frame; frame = await reader.next()) frames.push(frame);
  return frames;
}

describe('submission', () => {
  it('answers with the resolved job and where it is', async () => {
    const { status, headers, job } = await submit('first');
    expect(status).toBe(202);
    expect(headers.get('location')).toBe(`/v1/jobs/${job.id}`);
    expect(job).toMatchObject({ state: 'queued', spec: { ...spec('first'), training: { batchSize: 128 } } });
    expect((await gateway.rest.send('GET', `/v1/jobs/${job.id}`)).json).toEqual(job);
  });

  it('with a key gives the same job again, and refuses another body', async () => {
    const key = { 'idempotency-key': '"once"' };
    const { job } = await submit('keyed', key);
    expect((await submit('keyed', { 'idempotency-key': 'once' })).job.id).toBe(job.id);
    expect(restRefusal(await submit('another', key))).toMatchObject({ code: 'idempotency-key-reused' });
  });

  it('with a key makes one job of many submissions at once', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => submit('many', { 'idempotency-key': 'many' })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1);
  });
});

describe('pages', () => {
  it('go through all jobs, newest first', async () => {
    for (const name of ['page-1', 'page-2', 'page-3']) await submit(name);
    const seen: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = (await gateway.rest.send('GET', `/v1/jobs?limit=2&state=queued${cursor ? `&cursor=${cursor}` : ''}`))
        .json as { jobs: JobView[]; nextCursor?: string };
      expect(page.jobs.length).toBeLessThanOrEqual(2);
      seen.push(...page.jobs.map((job) => job.spec.name));
      cursor = page.nextCursor;
      if (cursor === undefined) break;
    }
    expect(seen.slice(0, 3)).toEqual(['page-3', 'page-2', 'page-1']);
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe('events', () => {
  it('are told live, replayed from where one was, and over when all were seen', async () => {
    const { job } = await submit('watched');
    const reader = await EventReader.open(job.id);
    expect(await reader.next()).toMatchObject({ event: 'state', data: { state: 'queued' } });
    await gateway.rest.send('POST', `/v1/jobs/${job.id}/cancel`);
    const rest = await framesOf(reader);
    expect(rest.at(-1)).toMatchObject({ event: 'end', data: { id: job.id, state: 'cancelled' } });

    const again = await framesOf(await EventReader.open(job.id));
    expect(again.slice(1)).toEqual(rest);
    const later = await EventReader.open(job.id, { 'last-event-id': again[0]?.id as string });
    expect(await framesOf(later)).toEqual(rest);
    const over = await fetch(url(`/v1/jobs/${job.id}/events?lastEventId=${rest.at(-1)?.id}`));
    expect({ status: over.status, body: await over.text() }).toEqual({ status: 204, body: '' });
    // A browser that connects again sends its newest id to the URL that it began with.
    const reconnected = await fetch(url(`/v1/jobs/${job.id}/events?lastEventId=${again[0]?.id}`), {
      headers: { 'last-event-id': rest.at(-1)?.id as string },
    });
    void reconnected.body?.cancel();
    expect(reconnected.status).toBe(204);
  });

  it('show progress and epochs while a job trains', async () => {
    const { job } = await submit('trained', { 'idempotency-key': 'trained' });
    const reader = await EventReader.open(job.id);
    const progress = { phase: 'train', epoch: 1, epochs: 1, step: 3, steps: 6, percent: 50, loss: 0.25 };
    const consumer = await JobConsumer.open(
      consumerSettings(gateway.redis.url, { concurrency: 20 }),
      async (lease) => {
        lease.progress(progress);
        lease.epoch({ phase: 'train', epoch: 1, metrics: { loss: 0.2 } });
        return { kind: 'succeeded', published: { model: 'trained', version: 1 }, metrics: {} };
      },
      quiet,
    );
    const frames = await framesOf(reader);
    await consumer.drain();
    expect(frames.map(({ event }) => event)).toEqual(expect.arrayContaining(['state', 'progress', 'epoch', 'end']));
    expect(frames.find(({ event }) => event === 'progress')?.data).toEqual(progress);
    expect(frames.at(-1)).toMatchObject({ event: 'end', data: { state: 'succeeded', model: 'trained', version: 1 } });
  });

  it('keep a quiet stream alive, and end their work when the reader goes', async () => {
    const { job } = await submit('quiet');
    const reader = await EventReader.open(job.id);
    await reader.next();
    const waiting = reader.next().catch(() => undefined);
    await sleep(500);
    reader.close();
    await waiting;
    expect(reader.comments.length).toBeGreaterThanOrEqual(1);
    await until(async () => /hourglass_event_streams\{transport="rest",.*\} 0/.test(await gateway.metrics.render()));
  });

  it('are for so many readers and no more', async () => {
    const { job } = await submit('crowded');
    const readers = [await EventReader.open(job.id), await EventReader.open(job.id)];
    const refused = await gateway.rest.send('GET', `/v1/jobs/${job.id}/events`);
    expect(restRefusal(refused)).toMatchObject({ code: 'overloaded' });
    expect(refused.headers.get('retry-after')).toBe('1');
    for (const reader of readers) reader.close();
    const free = await until(async () => {
      const answer = await fetch(url(`/v1/jobs/${job.id}/events`));
      void answer.body?.cancel();
      return answer.status === 200;
    });
    expect(free).toBe(true);
  });

  it('refuse an id that is none', async () => {
    const { job } = await submit('odd');
    const answer = await gateway.rest.send('GET', `/v1/jobs/${job.id}/events?lastEventId=yesterday`);
    expect(restRefusal(answer)).toMatchObject({ code: 'invalid-request' });
  });
});

describe('steering', () => {
  it('cancels once and again, then refuses what has ended otherwise', async () => {
    const { job } = await submit('steered');
    for (const _ of [1, 2]) {
      const answer = await gateway.rest.send('POST', `/v1/jobs/${job.id}/cancel`);
      expect(answer).toMatchObject({ status: 202, json: { state: 'cancelled' } });
    }
    expect(await gateway.rest.send('POST', `/v1/jobs/${job.id}/retry`)).toMatchObject({
      status: 202,
      json: { state: 'queued' },
    });
    expect(restRefusal(await gateway.rest.send('DELETE', `/v1/jobs/${job.id}`))).toMatchObject({
      code: 'job-not-finished',
    });
    await gateway.rest.send('POST', `/v1/jobs/${job.id}/cancel`);
    expect(await gateway.rest.send('POST', `/v1/jobs/${job.id}/resume`)).toMatchObject({ status: 202 });
    await gateway.rest.send('POST', `/v1/jobs/${job.id}/cancel`);
    expect((await gateway.rest.send('DELETE', `/v1/jobs/${job.id}`)).status).toBe(204);
    expect(restRefusal(await gateway.rest.send('GET', `/v1/jobs/${job.id}`))).toMatchObject({ code: 'job-not-found' });
  });
});

describe('without its queue', () => {
  it('refuses jobs and says when to come back, goes on answering, and recovers', async () => {
    expect(await gateway.rest.send('GET', '/readyz')).toMatchObject({ status: 200, json: { ready: true } });
    await gateway.redis.kill();
    const refused = await submit('lost');
    expect(restRefusal(refused)).toMatchObject({ code: 'queue-unavailable' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    for (const [method, target] of [
      ['GET', '/v1/jobs'],
      ['GET', `/v1/jobs/${'0'.repeat(26)}`],
      ['GET', `/v1/jobs/${'0'.repeat(26)}/events`],
      ['POST', `/v1/jobs/${'0'.repeat(26)}/cancel`],
    ] as const) {
      expect(restRefusal(await gateway.rest.send(method, target))).toMatchObject({ code: 'queue-unavailable' });
    }
    const encoded = await gateway.rest.send('POST', '/encode?model=tiny', { inputs: [[1, 2, 3, 4]] });
    expect(encoded).toMatchObject({ status: 200, json: { codes: [[1, 2]] } });
    await until(async () => (await gateway.rest.send('GET', '/readyz')).status === 503);
    expect((await gateway.rest.send('GET', '/readyz')).json).toMatchObject({
      ready: false,
      parts: { queue: { ready: false }, registry: { ready: true }, models: { ready: true }, server: { ready: true } },
    });
    expect(await gateway.rest.send('GET', '/readyz?for=inference')).toMatchObject({
      status: 200,
      json: { ready: true, parts: { queue: { ready: false } } },
    });
    expect((await gateway.rest.send('GET', '/livez')).status).toBe(200);
    await gateway.redis.start();
    await until(async () => (await submit('found', { 'idempotency-key': 'found' })).status === 202);
    await until(async () => (await gateway.rest.send('GET', '/readyz')).status === 200);
  });
});
