/** New rows from a model that has a prior to draw codes from. */

import { Demand, timeoutOf } from '../demand.ts';
import { json, negotiate, octets, png } from '../media.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { refuseSeveral, sendRows } from '../rows-answer.ts';
import { type GenerateRequest, problem, ReferenceParams, ref } from '../schemas.ts';

const offered = [json, octets, png] as const;
const binary = { schema: { type: 'string', format: 'binary' } };

export function generateRoutes(app: App, { config, observer, limits }: RouteParts): void {
  app.post(
    '/v1/models/:model/generate',
    {
      config: { scope: 'infer', body: 'json', handlerChecks: ['params'] },
      schema: {
        tags: ['predictions'],
        summary: 'New rows: codes drawn from N(0, I), decoded by a variational model',
        params: ReferenceParams,
        body: ref('GenerateRequest'),
        response: {
          200: {
            description: 'In the accepted type; X-Hourglass-Model and X-Hourglass-Shape say the same of binary answers',
            content: { [json]: { schema: ref('GeneratedAnswer') }, [octets]: binary, [png]: binary },
          },
          400: problem('The body cannot be read, or has unknown fields'),
          404: problem('No such model, version or alias'),
          406: problem('No answer in the accepted types, or several rows as one picture'),
          409: problem('The model has no prior to draw from'),
          413: problem('Too many rows'),
          422: problem('count must be a positive integer, seed an integer from 0 to 2^32 − 1'),
          429: problem('Too much work is waiting; Retry-After says when to come back'),
          503: problem('The model is damaged, or the server is stopping'),
          504: problem('No answer in time'),
        },
      },
    },
    async ({ caller, tenant, headers, params: { model }, body }, reply) => {
      const stages = observer.predicting(reply, 'generate');
      const type = negotiate(headers.accept, offered);
      const demand = new Demand(reply.raw, timeoutOf(headers['x-request-timeout'], config.deadlineMs), limits.memory);
      const { count = 1, seed: wanted } = body as GenerateRequest;
      const question = { model, count, seed: wanted, withTarget: type === png, demand };
      const { prediction, target, seed } = await demand.meet(tenant.predictions.generate(caller, question));
      if (type === png) refuseSeveral(prediction.outputs);
      stages.answering();
      return sendRows(reply, type, 'generate', prediction, target, { seed });
    },
  );
}
