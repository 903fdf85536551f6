/**
 * One call: what a method knows of it besides the request (who asked, until when, whether the answer is still wanted),
 * and how it ends.
 */

import { randomUUID } from 'node:crypto';
import type { Metadata, StatusObject } from '@grpc/grpc-js';
import { keyRevoked } from '../../access/access.ts';
import type { Caller } from '../../base/caller.ts';
import { HourglassError, normaliseError } from '../../base/errors.ts';
import type { Demand } from '../../serve/predictor.ts';
import { identify } from '../identify.ts';
import { clientOf } from '../places.ts';
import type { Tenant } from '../tenants.ts';
import { reserveAnswer } from './call-memory.ts';
import { clientGone, deadlineExceeded, tooLong, toStatus } from './errors.ts';
import { admittedOf } from './identities.ts';

export interface Call {
  readonly requestId: string;
  readonly caller: Caller;
  /** what belongs to the caller's tenant; throws Error in methods that are open to everybody */
  readonly tenant: Tenant;
  /** address that it came from */
  readonly client: string;
  /** aborted, with a HourglassError as reason, when the client is gone, a deadline passed, or the server drains */
  readonly signal: AbortSignal;
  /** the same for what predicts; its signal is `signal` */
  readonly demand: Demand;
  /** Ends the call with `deadline-exceeded` when it has no answer after so long. */
  limit(ms: number): void;
  /** For streams without an end of their own: they end with `shutting-down` as soon as the server drains. */
  endOnDrain(): void;
}

/** What calls share with their server. */
export interface CallRuntime {
  readonly drain: Drain;
  /** told of errors that are our own fault; `trace` is the call's position in its trace */
  failed(error: HourglassError, path: string, requestId: string, trace: string | undefined): void;
}

export const requestIdKey = 'x-request-id';

/** The client's request id when it is a harmless one, else a new one. */
export function requestIdOf(metadata: Metadata): string {
  const given = metadata.get(requestIdKey)[0];
  return typeof given === 'string' && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID();
}

/** Ends the streams that would otherwise keep a stopping server from its end. */
export class Drain {
  readonly #calls = new Set<AbortController>();
  #draining = false;

  add(call: AbortController): void {
    this.#calls.add(call);
    if (this.#draining) this.start();
  }

  delete(call: AbortController): void {
    this.#calls.delete(call);
  }

  start(): void {
    this.#draining = true;
    for (const call of this.#calls) {
      call.abort(
        new HourglassError('shutting-down', 'The server is stopping. Connect again and go on from there.', {
          retryAfter: 1,
        }),
      );
    }
  }
}

/** The part that all four kinds of server calls of grpc-js share. */
export interface ServerCall {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  getDeadline(): Date | number;
  /** address and port */
  getPeer(): string;
  once(event: 'cancelled', listener: () => void): unknown;
}

/**
 * Does the work of a call and ends it with a status when that fails. The work is not begun when nobody waits for it any
 * more. Never rejects.
 */
export async function conduct(
  path: string,
  call: ServerCall,
  runtime: CallRuntime,
  work: (context: Call) => Promise<unknown>,
  fail: (status: StatusObject & Error) => void,
): Promise<void> {
  const requestId = requestIdOf(call.metadata);
  const { identity, tenant } = admittedOf(call.metadata);
  const caller = identify(identity, call.getPeer(), call.metadata.get('traceparent')[0]);
  const controller = new AbortController();
  const { signal } = controller;
  // grpc-js tells of a lost client and of a passed deadline alike.
  const abort = (): void => controller.abort(isLate(call) ? deadlineExceeded() : clientGone());
  if (call.cancelled || isLate(call)) abort();
  else call.once('cancelled', abort);
  const expelled = (): void => controller.abort(keyRevoked());
  caller.revoked?.addEventListener('abort', expelled, { once: true });
  let timer: NodeJS.Timeout | undefined;
  const limit = (ms: number): void => {
    timer = setTimeout(() => controller.abort(tooLong(ms)), ms);
  };
  try {
    signal.throwIfAborted();
    const demand: Demand = {
      signal,
      isOver: () => (signal.aborted ? normaliseError(signal.reason) : undefined),
      reserve: (bytes) => reserveAnswer(call.metadata, bytes),
    };
    await work({
      ...{ requestId, signal, demand, limit },
      caller,
      get tenant() {
        if (!tenant) throw new Error(`${path} is open to everybody and has no tenant`);
        return tenant;
      },
      client: clientOf(call.getPeer().replace(/:\d+$/, '')),
      endOnDrain: () => runtime.drain.add(controller),
    });
  } catch (thrown) {
    const error = normaliseError(signal.aborted ? signal.reason : thrown);
    if (error.code === 'internal') runtime.failed(error, path, requestId, caller.traceparent);
    if (!call.cancelled) fail(Object.assign(new Error(error.message), toStatus(error, requestId)));
  } finally {
    clearTimeout(timer);
    caller.revoked?.removeEventListener('abort', expelled);
    runtime.drain.delete(controller);
  }
}

/** The work's result, or the signal's reason as soon as it is aborted: then nobody waits for the work. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason);
    if (signal.aborted) aborted();
    signal.addEventListener('abort', aborted, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}

const isLate = (call: ServerCall): boolean => Date.now() >= Number(call.getDeadline());
