/** What `hourglass up` and its parts tell each other. */

import type { MetricsSnapshot } from '../platform/metrics.ts';

/** From a gateway, once it listens. */
export interface Listening {
  readonly type: 'listening';
  readonly host: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly metricsPort: number;
}

/** From a worker, now and then: what it has recorded. */
export interface Recorded {
  readonly type: 'metrics';
  readonly snapshot: MetricsSnapshot;
}

/** To the gateway, whose metrics port speaks for all: what the others have recorded, by process. */
export interface Gathered {
  readonly type: 'metrics';
  readonly snapshots: Readonly<Record<string, MetricsSnapshot>>;
}

/** From each gateway of a group, now and then, to the process that answers on the metrics port for them. */
export interface GatewayState {
  readonly type: 'gateway';
  readonly snapshot: MetricsSnapshot;
  readonly readiness: {
    readonly ready: boolean;
    readonly parts: Readonly<Record<'queue' | 'storage' | 'registry' | 'models' | 'server', PartState>>;
  };
}

interface PartState {
  readonly ready: boolean;
  readonly detail: string;
}
