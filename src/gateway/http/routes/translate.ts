/** Sources to their most probable targets. */

import { Demand, timeoutOf } from '../demand.ts';
import { json } from '../media.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { problem, ReferenceParams, ref } from '../schemas.ts';
import type { TranslateRequest } from '../translate-schemas.ts';

export function translateRoutes(app: App, { config, observer, limits }: RouteParts): void {
  app.post(
    '/v1/models/:model/translate',
    {
      config: { scope: 'infer', body: 'json', handlerChecks: ['params'] },
      schema: {
        tags: ['predictions'],
        summary: 'Sources to their most probable targets, by a model of pairs',
        params: ReferenceParams,
        body: ref('TranslateRequest'),
        response: {
          200: { description: 'Targets of each source', content: { [json]: { schema: ref('Translations') } } },
          400: problem('The body cannot be read, or has unknown fields'),
          404: problem('No such model, version or alias'),
          409: problem('The model does not translate'),
          422: problem('A member is not as described, or a source does not fit the model'),
          429: problem('Too much work is waiting; Retry-After says when to come back'),
          503: problem('The model is damaged, or the server is stopping'),
          504: problem('No answer in time'),
        },
      },
    },
    async ({ caller, tenant, headers, params: { model }, body }, reply) => {
      const stages = observer.predicting(reply, 'translate');
      const demand = new Demand(reply.raw, timeoutOf(headers['x-request-timeout'], config.deadlineMs), limits.memory);
      const question = { ...(body as TranslateRequest), model, demand };
      const answer = await demand.meet(tenant.predictions.translate(caller, question));
      stages.answering();
      return reply
        .header('cache-control', 'no-store')
        .header('x-hourglass-model', `${answer.model}@${answer.version}`)
        .send(answer);
    },
  );
}
