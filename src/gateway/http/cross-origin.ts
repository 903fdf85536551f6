/**
 * Which web pages may call this server. A page of another site can reach it through a name of its own that it points here (DNS
 * rebinding), or send requests whose answer it cannot read (cross-site request forgery): host names are checked against a list,
 * and calls that are not safe by where the browser says that they come from. Pages of the origins in HOURGLASS_CORS_ORIGINS may
 * call and read everything. Clients that are no browsers send neither Origin nor Sec-Fetch-Site and are not concerned.
 */

import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HourglassError } from '../../base/errors.ts';
import type { Config } from '../../platform/config.ts';

export type CrossOriginConfig = Pick<Config, 'host' | 'allowedHosts' | 'corsOrigins'>;

/** Answer headers that a page may read besides those that every page may. */
const exposedHeaders = [
  'Allow',
  'Content-Disposition',
  'Content-Range',
  'ETag',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Hourglass-Model',
  'X-Hourglass-Receipt',
  'X-Hourglass-Shape',
  'X-Hourglass-Warning',
  'X-Request-Id',
].join(', ');

/** How long a browser may remember the answer to a preflight; Chromium takes two hours at most. */
const preflightSeconds = 7200;

/** Methods that change nothing (RFC 9110, 9.2.1). */
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** The name in a Host header without its port; IPv6 addresses without their brackets. */
function nameOf(host: string): string {
  const name = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host.trim().toLowerCase());
  return (name?.[1] ?? name?.[2] ?? host).replace(/\.$/, '');
}

/**
 * Addresses, and names that nobody can register in the public DNS, cannot be pointed here by a stranger: `localhost`, names
 * without a dot (a Service of Kubernetes or compose), `.localhost`, `.local`, `.internal`.
 */
export function isAllowedHost(header: string, { host, allowedHosts }: CrossOriginConfig): boolean {
  const name = nameOf(header);
  if (isIP(name) !== 0 || /^[a-z0-9_-]+$|\.(?:localhost|local|internal)$/.test(name)) return true;
  return [host, ...(allowedHosts ?? [])].some(
    (allowed) =>
      allowed === '*' || allowed.toLowerCase() === name || (allowed.startsWith('.') && name.endsWith(allowed)),
  );
}

const isTrusted = (origin: string, { corsOrigins }: CrossOriginConfig): boolean =>
  corsOrigins !== null && (corsOrigins.includes('*') || corsOrigins.includes(origin));

/** Host headers that were allowed, by configuration: nearly all requests carry one of a few. */
const allowedBefore = new WeakMap<CrossOriginConfig, Set<string>>();
const rememberedHosts = 100;

/** Whether `checkHost` has allowed this host before. */
export const isKnownHost = (host: string | undefined, config: CrossOriginConfig): boolean =>
  host !== undefined && allowedBefore.get(config)?.has(host) === true;

/** Throws `host-not-allowed`. */
export function checkHost({ headers }: FastifyRequest, config: CrossOriginConfig): void {
  const { host } = headers;
  if (host === undefined) return;
  const known = allowedBefore.get(config) ?? new Set();
  if (known.has(host)) return;
  if (isAllowedHost(host, config)) {
    if (known.size < rememberedHosts) allowedBefore.set(config, known.add(host));
    return;
  }
  throw new HourglassError(
    'host-not-allowed',
    `This server does not answer to the host name ${nameOf(host).slice(0, 100)}. If it is yours, list it in HOURGLASS_ALLOWED_HOSTS.`,
    {
      field: 'Host',
      expected: 'an address, localhost, or a name in HOURGLASS_ALLOWED_HOSTS',
      found: host.slice(0, 100),
    },
  );
}

/**
 * Browsers say in Sec-Fetch-Site where a request comes from; those that do not yet send Origin with it. Throws
 * `origin-not-allowed`.
 */
export function checkOrigin({ method, headers }: FastifyRequest, config: CrossOriginConfig): void {
  if (safeMethods.has(method)) return;
  const { origin, host = '' } = headers;
  const site = headers['sec-fetch-site'];
  if (site === 'same-origin' || site === 'none') return;
  if (origin !== undefined && isTrusted(origin, config)) return;
  if (site === undefined && (origin === undefined || hostOf(origin) === host.trim().toLowerCase())) return;
  throw new HourglassError(
    'origin-not-allowed',
    'A web page of another origin may not do this. If the page is yours, list its origin in HOURGLASS_CORS_ORIGINS.',
    { field: origin === undefined ? 'Sec-Fetch-Site' : 'Origin', found: String(origin ?? site).slice(0, 100) },
  );
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** Headers by which a browser lets a page of a listed origin read the answer. */
export function allowReading({ headers }: FastifyRequest, reply: FastifyReply, config: CrossOriginConfig): void {
  const { corsOrigins } = config;
  const { origin } = headers;
  if (corsOrigins === null) return;
  const anybody = corsOrigins.includes('*');
  if (!anybody) reply.header('vary', 'Origin');
  if (origin === undefined || !isTrusted(origin, config)) return;
  reply
    .header('access-control-allow-origin', anybody ? '*' : origin)
    .header('access-control-expose-headers', exposedHeaders);
}

/** A browser's question whether a page may send a request at all, from an origin that may. */
export const isPreflight = ({ method, headers }: FastifyRequest, config: CrossOriginConfig): boolean =>
  method === 'OPTIONS' &&
  headers['access-control-request-method'] !== undefined &&
  headers.origin !== undefined &&
  isTrusted(headers.origin, config);

/** @param methods of the path */
export function answerPreflight({ headers }: FastifyRequest, reply: FastifyReply, methods: string): FastifyReply {
  const wanted = headers['access-control-request-headers'];
  return reply
    .status(204)
    .header('access-control-allow-methods', methods)
    .header('access-control-max-age', String(preflightSeconds))
    .headers(wanted === undefined ? {} : { 'access-control-allow-headers': wanted.slice(0, 1000) })
    .send();
}
