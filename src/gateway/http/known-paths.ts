/**
 * Which methods a path has, for a request with another one: 405 with `Allow`, and the answer to a browser's preflight. A second
 * router holds each path once. Routes of the server for each of the other methods, some thirty a path, would take most of its start.
 */

import { METHODS } from 'node:http';
import type { FastifyRequest } from 'fastify';
import findMyWay, { type HTTPVersion, type Instance } from 'find-my-way';
import { HourglassError } from '../../base/errors.ts';
import type { App } from './route-parts.ts';

export interface KnownPath {
  /** the router's pattern, such as `/v1/jobs/:id` */
  readonly url: string;
  /** its methods, as the header says them */
  readonly allow: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** the path, where it is there with other methods than that of the request */
    known: KnownPath | undefined;
  }
}

/** Without this, methods that Node's parser knows and Fastify does not (PROPFIND …), or wants more of (QUERY), end in a 500. */
export function addEveryMethod(app: App): void {
  app.addHttpMethod('QUERY', { overrideExisting: true });
  for (const method of METHODS) {
    // CONNECT does not come as a request
    if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method);
  }
}

/** Collects the routes that are added from now on. The result finds the path of a request that no route takes. */
export function collectPaths(app: App, maxParamLength: number): (request: FastifyRequest) => KnownPath | undefined {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const there = methods.get(url) ?? new Set();
    for (const name of [method].flat()) there.add(name);
    methods.set(url, there);
  });
  let router: Instance<HTTPVersion.V1> | undefined;
  return ({ raw }) => {
    router ??= routerOf(methods, maxParamLength);
    return router.find('GET', raw.url ?? '')?.store as KnownPath | undefined;
  };
}

function routerOf(methods: ReadonlyMap<string, ReadonlySet<string>>, maxParamLength: number) {
  const router = findMyWay({ maxParamLength });
  for (const [url, there] of methods) {
    router.on('GET', url, () => undefined, { url, allow: [...there].sort().join(', ') } satisfies KnownPath);
  }
  return router;
}

export const otherMethod = (method: string, { allow }: KnownPath): HourglassError =>
  new HourglassError('method-not-allowed', `This path has no ${method}. It has ${allow}.`, {
    expected: allow.split(', '),
    found: method,
  });
