/** Keeps the parts of `hourglass up` running: starts a dead one again after a growing pause, and stops all in order. */

import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../platform/log.ts';

export interface Part {
  readonly name: string;
  /** resolves when it runs; a throw counts as a death */
  launch(): Promise<ChildProcess>;
  /** between SIGTERM and SIGKILL */
  readonly stopMs: number;
  /** a part with this exit code cannot run here; everything stops */
  readonly hopelessCode?: number;
  /** the other parts need it until their end: it is stopped after them */
  readonly isFoundation?: boolean;
}

export interface SupervisorOptions {
  readonly log: Logger;
  /** a part ended that cannot be started again */
  readonly onHopeless?: (part: string) => void;
  readonly onRestart?: (part: string) => void;
}

const firstPauseMs = 250;
const longestPauseMs = 10_000;
/** after this long a part counts as healthy again */
const healthyMs = 30_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #running: Running[] = [];
  #stopping: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Starts a part and keeps it running. Throws when the first start fails. */
  async start(part: Part): Promise<void> {
    const running = new Running(part, this.#options);
    this.#running.push(running);
    await running.start();
  }

  /** Ends all parts, foundations last; each with SIGTERM, then with SIGKILL. */
  stop(): Promise<void> {
    this.#stopping ??= (async () => {
      // Ctrl-C reaches some of them by itself: from now on their end is no surprise
      for (const running of this.#running) running.expectEnd();
      await Promise.all(this.#running.filter(({ isFoundation }) => !isFoundation).map((running) => running.stop()));
      await Promise.all(this.#running.filter(({ isFoundation }) => isFoundation).map((running) => running.stop()));
    })();
    return this.#stopping;
  }
}

class Running {
  readonly #part: Part;
  readonly #options: SupervisorOptions;
  #child: ChildProcess | undefined;
  #stopping = false;
  #pauseMs = firstPauseMs;
  readonly #pause = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(part: Part, options: SupervisorOptions) {
    this.#part = part;
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#child = await this.#part.launch();
    this.#loop = this.#keepRunning(this.#child);
  }

  get isFoundation(): boolean {
    return this.#part.isFoundation === true;
  }

  expectEnd(): void {
    this.#stopping = true;
    this.#pause.abort();
  }

  async stop(): Promise<void> {
    this.expectEnd();
    const child = this.#child;
    if (child && isAlive(child)) {
      child.kill('SIGTERM');
      const force = setTimeout(() => {
        this.#options.log.error({ part: this.#part.name }, 'does not stop by itself, ending it by force');
        child.kill('SIGKILL');
      }, this.#part.stopMs);
      await gone(child);
      clearTimeout(force);
    }
    await this.#loop;
  }

  async #keepRunning(first: ChildProcess): Promise<void> {
    const { log, onHopeless, onRestart } = this.#options;
    const part = this.#part.name;
    let child: ChildProcess | undefined = first;
    for (;;) {
      const since = performance.now();
      if (child) await gone(child);
      if (this.#stopping) return;
      const { exitCode, signalCode } = child ?? {};
      const { hopelessCode } = this.#part;
      if (hopelessCode !== undefined && exitCode === hopelessCode) return onHopeless?.(part);
      if (performance.now() - since > healthyMs) this.#pauseMs = firstPauseMs;
      log.warn({ part, exitCode, signal: signalCode, pauseMs: this.#pauseMs }, 'ended unexpectedly, starting it again');
      await delay(this.#pauseMs, undefined, { signal: this.#pause.signal }).catch(() => undefined);
      if (this.#stopping) return;
      this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
      onRestart?.(part);
      child = await this.#part.launch().catch((error: Error) => {
        log.error({ part, reason: error.message }, 'does not start');
        return undefined;
      });
      this.#child = child;
      if (this.#stopping && child) child.kill('SIGTERM');
    }
  }
}

const isAlive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

function gone(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (!isAlive(child)) return resolve();
    child.once('exit', () => resolve());
  });
}
