/**
 * One call: what a method knows of it besides the request (who asked, until when, whether the answer is still wanted),
 * and how it ends.
 */

import { randomUUID } from 'node:crypto';
import type { Metadata, StatusObject } from '@grpc/grpc-js';
import { keyRevoked } from '../../access/access.ts';
import type { AuditAction } from '../../access/audit-entry.ts';
import type { Caller } from '../../base/caller.ts';
import { HourglassError, normaliseError } from '../../base/errors.ts';
import { type Timeout, TimerWheel } from '../../platform/timer-wheel.ts';
import type { Demand } from '../../serve/predictor.ts';
import { identify } from '../identify.ts';
import { clientOf } from '../places.ts';
import { isHarmlessId } from '../request-id.ts';
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
  /** Adds to the entry that the call leaves in the audit log, as the id of what it has made. */
  note(members: Readonly<Record<string, unknown>>): void;
  /** Ends the call with `deadline-exceeded` when it has no answer after so long. */
  limit(ms: number): void;
  /** For streams without an end of their own: they end with `shutting-down` as soon as the server drains. */
  endOnDrain(): void;
}

/** What a call does, by its request. */
export type AuditOf = (request: object) => AuditAction;

/** What its audit entry is made from. */
export type ChangedCall = Pick<Call, 'caller' | 'requestId'> & { readonly noted: Readonly<Record<string, unknown>> };

/** What calls share with their server. */
export interface CallRuntime {
  readonly drain: Drain;
  /** told of errors that are our own fault; `trace` is the call's position in its trace */
  failed(error: HourglassError, path: string, requestId: string, trace: string | undefined): void;
  /** what a method does to what there is; undefined: it only reads, or predicts */
  readonly audits: ReadonlyMap<string, AuditOf>;
  /** told of each call that has changed something; unknown: that may have */
  changed(action: AuditAction, request: object, call: ChangedCall, outcome: 'done' | 'unknown'): void;
}

export const requestIdKey = 'x-request-id';

/** The client's request id when it is a harmless one, else a new one. */
export function requestIdOf(metadata: Metadata): string {
  const given = metadata.get(requestIdKey)[0];
  return isHarmlessId(given) ? given : randomUUID();
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

/** Limits on time are checked by one interval for all calls. */
const timers = new TimerWheel(100);
/** Work that is done sooner needs no signal: nobody listens for the end of its call. */
const promptMs = 100;

/** A call at work. The signal is made when something has to wait: it costs more than most answers. */
export class OpenCall implements Call, Demand {
  readonly requestId: string;
  readonly caller: Caller;
  readonly #call: ServerCall;
  readonly #drain: Drain;
  readonly #tenant: Tenant | undefined;
  #controller: AbortController | undefined;
  #limit: { readonly ms: number; readonly until: number } | undefined;
  #timeout: Timeout | undefined;
  noted: Readonly<Record<string, unknown>> = {};

  constructor(call: ServerCall, drain: Drain) {
    this.requestId = requestIdOf(call.metadata);
    const { identity, tenant } = admittedOf(call.metadata);
    this.caller = identify(identity, call.getPeer(), call.metadata.get('traceparent')[0]);
    this.#tenant = tenant;
    this.#call = call;
    this.#drain = drain;
  }

  get tenant(): Tenant {
    if (!this.#tenant) throw new Error('a call that is open to everybody has no tenant');
    return this.#tenant;
  }

  get client(): string {
    return clientOf(this.#call.getPeer().replace(/:\d+$/, ''));
  }

  get demand(): Demand {
    return this;
  }

  get signal(): AbortSignal {
    this.#controller ??= this.#listen();
    return this.#controller.signal;
  }

  /** The reason of the signal, without making one. */
  readonly isOver = (): HourglassError | undefined => {
    if (this.#controller?.signal.aborted) return normaliseError(this.#controller.signal.reason);
    // grpc-js tells of a lost client and of a passed deadline alike.
    if (isLate(this.#call)) return deadlineExceeded();
    if (this.#call.cancelled) return clientGone();
    if (this.caller.revoked?.aborted) return keyRevoked();
    return this.#limit && performance.now() >= this.#limit.until ? tooLong(this.#limit.ms) : undefined;
  };

  reserve(bytes: number): void {
    reserveAnswer(this.#call.metadata, bytes);
  }

  note(members: Readonly<Record<string, unknown>>): void {
    this.noted = { ...this.noted, ...members };
  }

  limit(ms: number): void {
    this.#limit = { ms, until: performance.now() + ms };
    if (this.#controller) this.#startTimeout();
  }

  endOnDrain(): void {
    this.#controller ??= this.#listen();
    this.#drain.add(this.#controller);
  }

  /** The work's result, or the reason why nobody waits for it any more. */
  meet<T>(work: Promise<T>): Promise<T> {
    if (this.#controller) return orAborted(work, this.signal);
    return new Promise((resolve, reject) => {
      const takesLong = timers.add(promptMs, () => orAborted(work, this.signal).then(resolve, reject));
      work.then(resolve, reject).finally(() => timers.cancel(takesLong));
    });
  }

  close(): void {
    if (!this.#controller) return;
    if (this.#timeout) timers.cancel(this.#timeout);
    this.caller.revoked?.removeEventListener('abort', this.#end);
    this.#drain.delete(this.#controller);
  }

  #listen(): AbortController {
    const controller = new AbortController();
    this.#controller = controller;
    const over = this.isOver();
    if (over) controller.abort(over);
    else {
      this.#call.once('cancelled', this.#end);
      this.caller.revoked?.addEventListener('abort', this.#end, { once: true });
      this.#startTimeout();
    }
    return controller;
  }

  #startTimeout(): void {
    if (this.#limit) this.#timeout = timers.add(this.#limit.until - performance.now(), this.#end);
  }

  readonly #end = (): void => this.#controller?.abort(this.isOver() ?? clientGone());
}

/**
 * Does the work of a call and ends it with a status when that fails. The work is not begun when nobody waits for it any
 * more. Never rejects.
 */
export async function conduct(
  path: string,
  call: ServerCall,
  runtime: CallRuntime,
  work: (context: OpenCall) => Promise<unknown>,
  fail: (status: StatusObject & Error) => void,
): Promise<void> {
  const open = new OpenCall(call, runtime.drain);
  try {
    const over = open.isOver();
    if (over) throw over;
    await work(open);
  } catch (thrown) {
    const error = open.isOver() ?? normaliseError(thrown);
    if (error.code === 'internal') runtime.failed(error, path, open.requestId, open.caller.traceparent);
    if (!call.cancelled) fail(Object.assign(new Error(error.message), toStatus(error, open.requestId)));
  } finally {
    open.close();
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
