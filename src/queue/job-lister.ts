/** What is read of many records at once: pages of jobs, the workers that are there, the samples of a training. */

import type { Redis } from 'ioredis';
import type { EpochMetrics, EpochSample, JobSamples, JobView, SampleRows, WorkerView } from '../jobspec/job.ts';
import { deviceQueues } from './bullmq-keys.ts';
import type { JobPage, ListQuery } from './job-queue.ts';
import { type JobRecord, viewOf } from './job-record.ts';

export interface JobListerParts {
  readonly client: Redis;
  readonly base: string;
  /** in front of the keys of the tenant's lists */
  readonly home: string;
  /** gives the failures of Redis their code */
  readonly guarded: <T>(call: () => Promise<T>) => Promise<T>;
}

/** Records that one call looks through for a search. */
const maxSearched = 2000;
const searchedAtOnce = 200;
/** Entries of an event stream that are looked through for losses, which epochs share with states and samples. */
const newestEvents = 90;

export class JobLister {
  readonly #parts: JobListerParts;

  constructor(parts: JobListerParts) {
    this.#parts = parts;
  }

  /** As JobQueue.list, with a checked cursor. */
  page({ state, search, losses = false, limit = 50, cursor }: ListQuery): Promise<JobPage> {
    const { client, base, home, guarded } = this.#parts;
    const index = `${home}jobs${state ? `:${state}` : ''}`;
    const words = search?.trim().toLowerCase() ?? '';
    return guarded(async () => {
      const found: JobRecord[] = [];
      let last = cursor;
      let hasMore = true;
      for (let searched = 0; hasMore && found.length < limit && searched < maxSearched; ) {
        const count = words === '' ? limit : searchedAtOnce;
        const ids = await client.zrevrangebylex(
          index,
          last === undefined ? '+' : `(${last}`,
          '-',
          'LIMIT',
          0,
          count + 1,
        );
        const shown = ids.slice(0, count);
        hasMore = ids.length > count;
        searched += shown.length;
        const records = await Promise.all(shown.map((id) => client.hgetall(`${base}job:${id}`)));
        for (const [i, record] of records.entries()) {
          last = shown[i];
          if (record.id === undefined || !contains(record, words)) continue;
          found.push(record);
          if (found.length < limit) continue;
          hasMore ||= i + 1 < shown.length;
          break;
        }
        if (words === '') break;
      }
      const jobs = await Promise.all(found.map((record) => this.#shown(record, losses)));
      return { jobs, ...(hasMore && last !== undefined && { nextCursor: last }) };
    });
  }

  /** In the order in which they were started. */
  workers(): Promise<readonly WorkerView[]> {
    const { client, base, guarded } = this.#parts;
    return guarded(async () => {
      const named = await Promise.all(
        deviceQueues.map((name) => client.zrange(`${base}queue:${name}:workers`, 0, '-1')),
      );
      const ids = [...new Set(named.flat())];
      const texts = ids.length === 0 ? [] : await client.mget(ids.map((id) => `${base}worker:${id}`));
      const workers = texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as WorkerView]));
      return workers.sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
    });
  }

  samples(id: string, after: number): Promise<JobSamples> {
    const { client, base, guarded } = this.#parts;
    return guarded(async () => {
      const list = `${base}samples:${id}`;
      const [rows, texts] = await Promise.all([client.lindex(list, 0), client.lrange(list, 1 + after, -1)]);
      return {
        ...(rows !== null && { rows: JSON.parse(rows) as SampleRows }),
        samples: texts.map((text) => JSON.parse(text) as EpochSample),
        next: after + texts.length,
      };
    });
  }

  async #shown(record: JobRecord, losses: boolean): Promise<JobView> {
    const { asked: _, ...view } = viewOf(record);
    if (!losses) return view;
    const { client, base } = this.#parts;
    const stream = `${base}events:${view.id}`;
    const entries = await client.xrevrange(stream, '+', '-', 'COUNT', newestEvents);
    const newest = entries.flatMap(([, [, type, , data]]) =>
      type === 'epoch' && data ? [(JSON.parse(data) as EpochMetrics).metrics.loss ?? Number.NaN] : [],
    );
    return { ...view, losses: newest.filter(Number.isFinite).reverse() };
  }
}

/** Whether the id, the name, the data set or the model's type of a job contains the text. */
function contains({ id = '', spec = '' }: JobRecord, text: string): boolean {
  if (text === '') return true;
  const { name, dataset, model } = JSON.parse(spec) as JobView['spec'];
  return [id, name, dataset, model.type].some((value) => value.toLowerCase().includes(text));
}
