/** What the REST gateway is built from, and what it knows of each request. */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Access, Demanded } from '../../access/access.ts';
import type { AuditLog } from '../../access/audit-log.ts';
import type { KeyService } from '../../access/key-service.ts';
import type { Caller } from '../../base/caller.ts';
import type { Config } from '../../platform/config.ts';
import type { Logger } from '../../platform/log.ts';
import type { Metrics } from '../../platform/metrics.ts';
import type { TlsFiles } from '../../platform/tls-files.ts';
import type { RequestTraces } from '../../telemetry/requests.ts';
import type { Readiness } from '../readiness.ts';
import type { SharedLimits } from '../shared-limits.ts';
import type { Tenant, Tenants } from '../tenants.ts';
import type { Observer } from './observe.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** who asks; set before any handler runs */
    caller: Caller;
    /** what belongs to the caller's tenant; routes that are open to everybody have none */
    tenant: Tenant;
  }
  interface FastifyContextConfig {
    /** what a caller needs; each route says it (requireScope) */
    scope?: Demanded;
  }
}

export interface HttpParts {
  readonly tenants: Tenants;
  readonly readiness: Readiness;
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** of this release */
  readonly version: string;
  readonly limits: SharedLimits;
  /** absent: connections are not encrypted */
  readonly tls?: TlsFiles | undefined;
  /** absent: no spans are made */
  readonly traces?: RequestTraces;
  readonly access: Access;
  readonly keys: KeyService;
  readonly audit: AuditLog;
}

/** What routes get on top of that. */
export interface RouteParts extends HttpParts {
  /** aborted when the server drains: streams without an end of their own end then */
  readonly draining: AbortSignal;
  readonly observer: Observer;
}

export type App = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>;
