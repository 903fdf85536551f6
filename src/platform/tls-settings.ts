/** Settings of encryption: the part of the table in settings.ts that names certificates. */

import { groupOf } from './setting-groups.ts';
import { duration, onOff, optional, pattern } from './setting-kinds.ts';

const tls = groupOf('tls');
const file = optional(pattern(/^[^\0]+$/, 'a path'));
const day = 24 * 3600 * 1000;

export const tlsSettings = {
  tlsCert: tls(
    'HOURGLASS_TLS_CERT',
    file,
    null,
    'certificate of REST, gRPC and metrics, and those between it and its authority (PEM); read again when it changes',
  ),
  tlsKey: tls('HOURGLASS_TLS_KEY', file, null, 'its private key (PEM); read again when it changes'),
  tlsClientCa: tls(
    'HOURGLASS_TLS_CLIENT_CA',
    file,
    null,
    'authorities of client certificates (PEM): with it REST, gRPC and /metrics answer only to clients that have one',
  ),
  metricsTls: tls('HOURGLASS_METRICS_TLS', onOff, 'on', 'off: the metrics port does without, for probes and scrapers'),
  hstsMs: tls(
    'HOURGLASS_HSTS',
    duration(0, 3 * 365 * day),
    '180d',
    'with a certificate: for so long browsers ask this host over https alone (HSTS); 0s: they are told nothing',
  ),
  redisCa: tls(
    'HOURGLASS_REDIS_CA',
    file,
    null,
    'authorities of the certificate of rediss:// (PEM), in place of the usual ones',
  ),
} as const;
