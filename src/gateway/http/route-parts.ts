/** What the REST gateway is built from. */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { DatasetStore } from '../../data/dataset.ts';
import type { Config } from '../../platform/config.ts';
import type { Logger } from '../../platform/log.ts';
import type { Metrics } from '../../platform/metrics.ts';
import type { JobQueue } from '../../queue/job-queue.ts';
import type { Registry } from '../../registry/registry.ts';
import type { Predictor } from '../../serve/predictor.ts';
import type { Budget } from '../budget.ts';
import type { Readiness } from '../readiness.ts';

export interface HttpParts {
  readonly queue: JobQueue;
  readonly predictor: Predictor;
  readonly registry: Registry;
  readonly datasets: DatasetStore;
  readonly readiness: Readiness;
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** of this release */
  readonly version: string;
}

/** What routes get on top of that. */
export interface RouteParts extends HttpParts {
  /** aborted when the server drains: streams without an end of their own end then */
  readonly draining: AbortSignal;
  /** places for event streams */
  readonly watchers: Budget;
}

export type App = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>;
