/** Ranked items for a person, from what the person has rated. */

import { Demand, timeoutOf } from '../demand.ts';
import { json } from '../media.ts';
import type { RecommendRequest } from '../recommend-schemas.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { problem, ReferenceParams, ref } from '../schemas.ts';

export function recommendRoutes(app: App, { config, observer, limits }: RouteParts): void {
  app.post(
    '/v1/models/:model/recommend',
    {
      config: { scope: 'infer', body: 'json', handlerChecks: ['params'] },
      schema: {
        tags: ['predictions'],
        summary: "A person's ratings to ranked items and predicted ratings, by a model of ratings",
        params: ReferenceParams,
        body: ref('RecommendRequest'),
        response: {
          200: {
            description: 'Items that the person has not rated, the best first',
            content: { [json]: { schema: ref('Recommendations') } },
          },
          400: problem(
            'The body cannot be read, has unknown fields, or a rating is outside of the range of the data set',
          ),
          404: problem('No such model, version or alias'),
          409: problem('The model does not recommend'),
          422: problem('A member is not as described'),
          429: problem('Too much work is waiting; Retry-After says when to come back'),
          503: problem('The model is damaged, or the server is stopping'),
          504: problem('No answer in time'),
        },
      },
    },
    async ({ caller, tenant, headers, params: { model }, body }, reply) => {
      const stages = observer.predicting(reply, 'recommend');
      const demand = new Demand(reply.raw, timeoutOf(headers['x-request-timeout'], config.deadlineMs), limits.memory);
      const question = { ...(body as RecommendRequest), model, demand };
      const answer = await demand.meet(tenant.predictions.recommend(caller, question));
      stages.answering();
      return reply
        .header('cache-control', 'no-store')
        .header('x-hourglass-model', `${answer.model}@${answer.version}`)
        .send(answer);
    },
  );
}
