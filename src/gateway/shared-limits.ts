/** The limits that all transports of a gateway share: one attacker cannot take the same thing twice, over REST and over gRPC. */

import type { Config } from '../platform/config.ts';
import type { Metrics } from '../platform/metrics.ts';
import { ByteBudget } from './byte-budget.ts';
import { Places } from './places.ts';
import { TurnShare } from './turn-share.ts';

export type LimitsConfig = Pick<
  Config,
  | 'maxBodyBytes'
  | 'maxBodyMemoryBytes'
  | 'clientShare'
  | 'stallTimeoutMs'
  | 'maxWatchers'
  | 'maxUploads'
  | 'maxDownloads'
  | 'targetWaitMs'
  | 'maxInFlight'
  | 'maxWaiting'
>;

export interface SharedLimits {
  readonly memory: ByteBudget;
  /** streams of events, health and reflection */
  readonly watchers: Places;
  readonly uploads: Places;
  readonly downloads: Places;
  /** of the event loop, which is one for requests of all transports */
  readonly turns: TurnShare;
}

export function createLimits(config: LimitsConfig, metrics: Metrics): SharedLimits {
  const { clientShare } = config;
  return {
    memory: new ByteBudget({
      limit: Math.max(config.maxBodyMemoryBytes, 3 * config.maxBodyBytes),
      clientShare,
      stallMs: config.stallTimeoutMs,
      changed: (bytes) => metrics.set('bodyMemory', bytes),
    }),
    watchers: new Places({
      ...{ limit: config.maxWatchers, clientShare },
      ...{ what: 'open streams of events, health and reflection', setting: 'HOURGLASS_MAX_WATCHERS' },
    }),
    uploads: new Places({
      ...{ limit: config.maxUploads, clientShare },
      ...{ what: 'uploads in progress', setting: 'HOURGLASS_MAX_UPLOADS' },
    }),
    downloads: new Places({
      ...{ limit: config.maxDownloads, clientShare },
      ...{ what: 'files being sent', setting: 'HOURGLASS_MAX_DOWNLOADS' },
    }),
    turns: new TurnShare({ targetMs: config.targetWaitMs, fixed: config.maxInFlight, most: config.maxWaiting }),
  };
}
