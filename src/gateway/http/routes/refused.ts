/** 405 with `Allow` for paths that are there with other methods. */

import { HourglassError } from '../../../base/errors.ts';
import type { App } from '../route-parts.ts';

const methods = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'] as const;

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
      const allowed = [...there].sort().join(', ');
      const others = methods.filter((method) => !there.has(method));
      if (others.length === 0) continue;
      routes.route({
        url,
        method: others,
        schema: { hide: true },
        handler: async (request, reply) => {
          reply.header('allow', allowed);
          throw new HourglassError('method-not-allowed', `This path has no ${request.method}. It has ${allowed}.`, {
            expected: allowed.split(', '),
            found: request.method,
          });
        },
      });
    }
  };
}
