/**
 * How a process ends: in order on a signal, at once on a fault. On SIGTERM or SIGINT the stop steps run one after the
 * other (not ready → finish what is in flight → close) and the process exits with 0; an exception that nobody caught is
 * logged and ends it with 1, because what it left behind cannot be trusted.
 *
 *   SIGTERM ─► step ─► step ─► … ─► exit 0        SIGINT: the same, but `hurry` is aborted from the start
 *              └ throws or runs past its limit: logged, the next step runs, exit 1
 */

import type { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from './log.ts';

export interface Stop {
  readonly signal: 'SIGTERM' | 'SIGINT';
  /** aborted when waiting for the sake of others (a load balancer) has no point: Ctrl-C, or a second signal */
  readonly hurry: AbortSignal;
}

export interface StopStep {
  readonly name: string;
  /** longest time in milliseconds, after which the next step begins */
  readonly limitMs: number;
  run(stop: Stop): Promise<void> | void;
}

/** `process`, or in a test something that takes its place. */
export type StoppableProcess = EventEmitter & { exit(code: number): unknown };

/** A supervisor's SIGTERM often comes twice, from it and from its own parent: within this time they count as one request to stop. */
const sameWishMs = 1000;

export class Shutdown {
  readonly #process: StoppableProcess;
  readonly #log: Logger;
  readonly #steps: StopStep[] = [];
  readonly #hurry = new AbortController();
  #stopping: Promise<number> | undefined;
  #begunAt = 0;

  constructor(log: Logger, stoppable: StoppableProcess = process) {
    this.#log = log;
    this.#process = stoppable;
  }

  /** Steps run in the order in which they were added. */
  add(step: StopStep): this {
    this.#steps.push(step);
    return this;
  }

  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** Starts to listen for signals and faults; returns how to stop listening. */
  listen(): () => void {
    const listeners = {
      SIGTERM: () => void this.#signalled('SIGTERM'),
      SIGINT: () => void this.#signalled('SIGINT'),
      uncaughtException: (error: unknown) => this.#fault(error, 'An exception was not caught'),
      unhandledRejection: (reason: unknown) => this.#fault(reason, 'A rejected promise was not handled'),
    };
    for (const [event, listener] of Object.entries(listeners)) this.#process.on(event, listener);
    return () => {
      for (const [event, listener] of Object.entries(listeners)) this.#process.off(event, listener);
    };
  }

  /** Runs the steps, once; resolves to the exit code. Does not exit by itself. */
  stop(signal: Stop['signal']): Promise<number> {
    this.#stopping ??= this.#runSteps(signal);
    return this.#stopping;
  }

  async #signalled(signal: Stop['signal']): Promise<void> {
    const repeated = this.stopping && Date.now() - this.#begunAt > sameWishMs;
    if (signal === 'SIGINT' || repeated) this.#hurry.abort();
    if (this.stopping) return;
    this.#begunAt = Date.now();
    this.#process.exit(await this.stop(signal));
  }

  async #runSteps(signal: Stop['signal']): Promise<number> {
    this.#log.info({ signal }, 'stopping');
    let exitCode = 0;
    for (const step of this.#steps) {
      const ended = await this.#runStep(step, { signal, hurry: this.#hurry.signal });
      if (!ended) exitCode = 1;
    }
    this.#log.info({ exitCode }, 'stopped');
    return exitCode;
  }

  async #runStep(step: StopStep, stop: Stop): Promise<boolean> {
    const timer = new AbortController();
    try {
      const late = delay(step.limitMs, 'late', { signal: timer.signal });
      const done = (async () => step.run(stop))().then(() => 'done');
      const outcome = await Promise.race([done, late]);
      if (outcome === 'late') this.#log.error({ step: step.name, limitMs: step.limitMs }, 'a stop step took too long');
      return outcome === 'done';
    } catch (err) {
      this.#log.error({ step: step.name, err }, 'a stop step failed');
      return false;
    } finally {
      timer.abort();
    }
  }

  #fault(thrown: unknown, what: string): void {
    const err = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.#log.fatal({ err }, what);
    this.#process.exit(1);
  }
}

/** Waits for `ms`, or until there is hurry. */
export async function pause(ms: number, hurry: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: hurry }).catch(() => {});
}
