/**
 * The line that each request leaves in the log, for every transport: of those that succeed one in so many, of those that fail
 * so many a second of each error code. The rest is counted and told in one line a second: a flood must not fill the disk.
 */

import type { Config } from '../platform/config.ts';
import type { Logger } from '../platform/log.ts';

export type RequestLogConfig = Pick<Config, 'requestLogLevel' | 'requestLogSample' | 'requestLogFailures'>;

export interface RequestEnd {
  /** `ok` or the code of the error */
  readonly code: string;
  /** the error is the server's, not the client's */
  readonly isFault: boolean;
  /** asked every few seconds by probes */
  readonly isProbe: boolean;
}

const windowMs = 1000;

interface Count {
  written: number;
  omitted: number;
}

export class RequestLog {
  readonly #log: Logger;
  readonly #config: RequestLogConfig;
  /** of this second, by code */
  readonly #failures = new Map<string, Count>();
  #window: NodeJS.Timeout | undefined;
  #succeeded = 0;

  constructor(log: Logger, config: RequestLogConfig) {
    this.#log = log;
    this.#config = config;
  }

  /** `facts` are made only for a line that is written. */
  ended(end: RequestEnd, facts: () => object): void {
    const level = this.#levelOf(end);
    if (level === undefined || !this.#log.isLevelEnabled(level)) return;
    if (end.code === 'ok') {
      if (this.#succeeded++ % this.#config.requestLogSample > 0) return;
    } else if (!this.#mayFail(end.code)) return;
    this.#log[level](facts(), 'answered');
  }

  #levelOf({ isFault, isProbe }: RequestEnd): 'warn' | 'trace' | 'debug' | 'info' | undefined {
    if (isFault) return 'warn';
    if (isProbe) return 'debug';
    const { requestLogLevel: level } = this.#config;
    return level === 'off' ? undefined : level;
  }

  #mayFail(code: string): boolean {
    let count = this.#failures.get(code);
    if (!count) {
      count = { written: 0, omitted: 0 };
      this.#failures.set(code, count);
    }
    this.#window ??= setTimeout(() => this.#closeWindow(), windowMs).unref();
    if (count.written < this.#config.requestLogFailures) {
      count.written++;
      return true;
    }
    count.omitted++;
    return false;
  }

  #closeWindow(): void {
    this.#window = undefined;
    const omitted = Object.fromEntries(
      [...this.#failures].filter(([, count]) => count.omitted > 0).map(([code, count]) => [code, count.omitted]),
    );
    this.#failures.clear();
    if (Object.keys(omitted).length === 0) return;
    this.#log.warn(
      { omitted },
      'more requests failed than HOURGLASS_REQUEST_LOG_FAILURES lets into the log in a second',
    );
  }
}
