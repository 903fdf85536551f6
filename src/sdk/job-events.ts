/** Follows a job over connections that break: goes on after the last event seen, with growing pauses, and not for ever. */

import { throwIfAborted } from './environment.ts';
import { parseEvents, type ServerEvent } from './events.ts';
import type { JobView } from './gen/contract.ts';
import { ProblemError, problemFrom } from './problem.ts';
import type { Transport } from './transport.ts';

export type JobProgress = NonNullable<JobView['progress']>;

/** `id` orders and replays them. */
export type JobEvent =
  | { readonly id: string; readonly type: 'state'; readonly data: { readonly state: JobView['state'] } }
  | { readonly id: string; readonly type: 'progress'; readonly data: JobProgress }
  | { readonly id: string; readonly type: 'epoch'; readonly data: EpochMetrics }
  /** a sample is there: `jobs.samples(id, at)` */
  | { readonly id: string; readonly type: 'sample'; readonly data: SampleNote }
  | { readonly id: string; readonly type: 'end'; readonly data: JobView };

export interface SampleNote {
  readonly phase: string;
  readonly epoch: number;
  readonly at: number;
}

export interface EpochMetrics {
  readonly phase: string;
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Those of the contract; what a newer server adds is left out. */
const eventTypes: readonly string[] = ['state', 'progress', 'epoch', 'sample', 'end'] satisfies JobEvent['type'][];

/** Connections in a row that bring no event and end early. */
const fruitlessConnections = 10;
/** A connection that held for so long was no failure: proxies cut quiet streams. */
const longConnectionMs = 20_000;

/** Throws ProblemError when the job is not there, or when connection after connection brings nothing. */
export async function* followJob(
  transport: Transport,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<JobEvent> {
  let last: string | undefined;
  for (let fruitless = 0; ; ) {
    const begun = Date.now();
    let problem: ProblemError | undefined;
    try {
      const response = await transport.send({
        method: 'GET',
        path,
        headers: { accept: 'text/event-stream', ...(last === undefined ? {} : { 'last-event-id': last }) },
        signal,
      });
      // all has been seen
      if (response.status === 204) return;
      for await (const event of parseEvents(response)) {
        if (event.type === 'error') {
          problem = problemOfEvent(event);
          if (!problem.retryable) throw problem;
          break;
        }
        if (event.id !== '') last = event.id;
        if (!eventTypes.includes(event.type)) continue;
        fruitless = 0;
        yield { id: event.id, type: event.type, data: JSON.parse(event.data) } as JobEvent;
        if (event.type === 'end') return;
      }
    } catch (error) {
      throwIfAborted(signal);
      if (error instanceof ProblemError) throw error;
      problem = new ProblemError('unreachable', 'The event stream broke off.', 0, { cause: error });
    }
    throwIfAborted(signal);
    if (Date.now() - begun >= longConnectionMs) fruitless = 0;
    if (++fruitless > fruitlessConnections) {
      throw problem ?? new ProblemError('unreachable', `${path} ended ${fruitless} times without an event.`, 0);
    }
    await transport.backOff(fruitless - 1, signal);
  }
}

function problemOfEvent({ data }: ServerEvent): ProblemError {
  let body: unknown;
  try {
    body = JSON.parse(data);
  } catch {
    body = undefined;
  }
  const { status } = (body ?? {}) as { status?: unknown };
  return problemFrom(body, typeof status === 'number' ? status : 500);
}
