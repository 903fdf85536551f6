/**
 * The events of a job as a watcher gets them: states, epochs and the end from the stream, the newest progress from the
 * record, in the order of their ids; then the end, also to one who has seen it before.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { HourglassError } from '../base/errors.ts';
import type { EpochMetrics, JobEvent, JobProgress, JobState, SampleNote } from '../jobspec/job.ts';
import { followStream, type StreamEntry, type StreamNotifier } from './job-events.ts';
import { type JobRecord, viewOf } from './job-record.ts';
import { startAfter } from './stream-bounds.ts';

const eventPage = 500;
const eventIdPattern = /^\d{1,20}-\d{1,20}$/;

export interface EventReaderParts {
  readonly client: Redis;
  readonly base: string;
  readonly notifier: StreamNotifier;
  /** gives the failures of Redis their code */
  readonly guarded: <T>(call: () => Promise<T>) => Promise<T>;
  /** throws `job-not-found` */
  readonly record: (id: string) => Promise<JobRecord>;
}

export class JobEventReader {
  readonly #parts: EventReaderParts;

  constructor(parts: EventReaderParts) {
    this.#parts = parts;
  }

  /** As JobQueue.events. */
  async *follow(
    id: string,
    { lastEventId, signal }: { lastEventId?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<JobEvent, void> {
    if (lastEventId !== undefined && !eventIdPattern.test(lastEventId)) {
      throw new HourglassError('invalid-request', 'The last event id is not one that this stream gave.', {
        field: 'Last-Event-ID',
      });
    }
    const { base, notifier, guarded, record } = this.#parts;
    await record(id);
    const read = (after: string | undefined) => guarded(() => this.#read(id, after));
    const stream = `${base}events:${id}`;
    const options = { stream, ...(lastEventId && { after: lastEventId }), ...(signal && { signal }) };
    for await (const entry of followStream(notifier, read, options)) {
      if (entry === 'caught-up') {
        const end = await this.#endWithoutEvent(id, lastEventId);
        if (end === 'deleted') return;
        if (end === undefined) continue;
        yield end;
        return;
      }
      const event = await this.#eventOf(id, entry, signal);
      if (event) yield event;
      if (event?.type === 'end') return;
    }
  }

  /** A page of what comes after an id, in order. Streams of an earlier release hold every progress; it is shown as well. */
  async #read(id: string, after: string | undefined): Promise<StreamEntry[]> {
    const { client, base } = this.#parts;
    const from = after === undefined ? '-' : startAfter(after);
    const replies = await client
      .multi()
      .xrange(`${base}events:${id}`, from, '+', 'COUNT', eventPage)
      .hmget(`${base}job:${id}`, 'progressEvent', 'progress')
      .exec();
    for (const [error] of replies ?? []) if (error) throw error;
    const [stream, newest] = (replies ?? []).map(([, reply]) => reply) as [
      [string, [string, string, string, string]][] | undefined,
      (string | null)[] | undefined,
    ];
    const entries = (stream ?? []).map(([entry, [, type, , data]]) => ({ id: entry, type, data }));
    const [progressId, data] = newest ?? [];
    if (!progressId || !data || !isAfter(progressId, after)) return entries;
    const at = entries.findIndex((entry) => isAfter(entry.id, progressId));
    const progress = { id: progressId, type: 'progress', data };
    if (at >= 0) return [...entries.slice(0, at), progress, ...entries.slice(at)];
    // After a full page there may be entries that come before it.
    return entries.length === eventPage ? entries : [...entries, progress];
  }

  /** The end of a job whose watcher has had it already, or whose events have expired. */
  async #endWithoutEvent(id: string, after: string | undefined): Promise<JobEvent | 'deleted' | undefined> {
    const { client, base } = this.#parts;
    try {
      const record = await this.#parts.record(id);
      if (record.endEvent === undefined) return undefined;
      const comes = isAfter(record.endEvent, after) && (await client.exists(`${base}events:${id}`)) > 0;
      return comes ? undefined : { id: record.endEvent, type: 'end', data: viewOf(record) };
    } catch (error) {
      return error instanceof HourglassError && error.code === 'job-not-found' ? 'deleted' : undefined;
    }
  }

  async #recordWhenBack(id: string, signal: AbortSignal | undefined): Promise<JobRecord | undefined> {
    while (!signal?.aborted) {
      try {
        return await this.#parts.record(id);
      } catch (error) {
        if (error instanceof HourglassError && error.code === 'job-not-found') return undefined;
        await delay(250);
      }
    }
    return undefined;
  }

  async #eventOf(
    id: string,
    { id: eventId, type, data }: StreamEntry,
    signal: AbortSignal | undefined,
  ): Promise<JobEvent | undefined> {
    switch (type) {
      case 'state':
        return { id: eventId, type, data: JSON.parse(data) as { state: JobState } };
      case 'progress':
        return { id: eventId, type, data: JSON.parse(data) as JobProgress };
      case 'epoch':
        return { id: eventId, type, data: JSON.parse(data) as EpochMetrics };
      case 'sample':
        return { id: eventId, type, data: JSON.parse(data) as SampleNote };
      case 'end': {
        const record = await this.#recordWhenBack(id, signal);
        return record?.endEvent === eventId ? { id: eventId, type, data: viewOf(record) } : undefined;
      }
      default:
        return undefined; // written by a newer release
    }
  }
}

/** Whether one event id comes after another. */
function isAfter(id: string, other: string | undefined): boolean {
  if (other === undefined) return true;
  const [a = '', an = '0'] = id.split('-');
  const [b = '', bn = '0'] = other.split('-');
  return BigInt(a) === BigInt(b) ? BigInt(an) > BigInt(bn) : BigInt(a) > BigInt(b);
}
