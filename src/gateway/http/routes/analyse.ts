/** Texts to topics or bits, and the nearest documents. */

import { Demand, timeoutOf } from '../demand.ts';
import { json } from '../media.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { problem, ReferenceParams, ref } from '../schemas.ts';
import type { AnalyseRequest } from '../text-schemas.ts';

export function analyseRoutes(app: App, { config, observer, limits }: RouteParts): void {
  app.post(
    '/v1/models/:model/analyse',
    {
      config: { scope: 'infer', body: 'json', handlerChecks: ['params'] },
      schema: {
        tags: ['predictions'],
        summary: 'Texts to topics or bits, and the nearest documents, by a model of documents',
        params: ReferenceParams,
        body: ref('AnalyseRequest'),
        response: {
          200: { description: 'One analysis for each text', content: { [json]: { schema: ref('Analysis') } } },
          400: problem('The body cannot be read, or has unknown fields'),
          404: problem('No such model, version or alias'),
          409: problem('The model is not one of documents'),
          422: problem('A member is not as described'),
          429: problem('Too much work is waiting; Retry-After says when to come back'),
          503: problem('The model is damaged, or the server is stopping'),
          504: problem('No answer in time'),
        },
      },
    },
    async ({ caller, tenant, headers, params: { model }, body }, reply) => {
      const stages = observer.predicting(reply, 'analyse');
      const demand = new Demand(reply.raw, timeoutOf(headers['x-request-timeout'], config.deadlineMs), limits.memory);
      const analysis = await demand.meet(
        tenant.predictions.analyse(caller, { ...(body as AnalyseRequest), model, demand }),
      );
      stages.answering();
      return reply
        .header('cache-control', 'no-store')
        .header('x-hourglass-model', `${analysis.model}@${analysis.version}`)
        .send({
          ...analysis,
          texts: analysis.texts.map(({ code, ...text }) => ({
            ...text,
            ...(code && { code: Buffer.from(code).toString('hex') }),
          })),
        });
    },
  );
}
