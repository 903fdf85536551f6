/** 405 with `Allow` for paths that are there with other methods. */

import { METHODS } from 'node:http';
import { HourglassError } from '../../../base/errors.ts';
import type { App } from '../route-parts.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** methods of the path, on routes that only say that theirs is not among them */
    allow?: string;
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

/** Collects the routes that are added from now on; call the result after the last one. */
export function refuseOtherMethods(app: App): (routes: App) => void {
  const known = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const there = known.get(url) ?? new Set();
    for (const name of [method].flat()) there.add(name);
    known.set(url, there);
  });
  return (routes) => {
    for (const [url, there] of [...known]) {
      const allow = [...there].sort().join(', ');
      routes.route({
        url,
        method: app.supportedMethods.filter((method) => !there.has(method)),
        config: { allow },
        schema: { hide: true },
        handler: async (request, reply) => {
          reply.header('allow', allow);
          throw new HourglassError('method-not-allowed', `This path has no ${request.method}. It has ${allow}.`, {
            expected: allow.split(', '),
            found: request.method,
          });
        },
      });
    }
  };
}
