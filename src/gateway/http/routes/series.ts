/** Series to their reconstruction, how unusual they are, and how they go on. */

import { Demand, timeoutOf } from '../demand.ts';
import { json } from '../media.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { problem, ReferenceParams, ref } from '../schemas.ts';
import type { SeriesRequest } from '../series-schemas.ts';

export function seriesRoutes(app: App, { config, observer, limits }: RouteParts): void {
  app.post(
    '/v1/models/:model/series',
    {
      config: { scope: 'infer', body: 'json', handlerChecks: ['params'] },
      schema: {
        tags: ['predictions'],
        summary: 'Series to their reconstruction, score and forecast, by a model of series',
        params: ReferenceParams,
        body: ref('SeriesRequest'),
        response: {
          200: { description: 'An answer for each series', content: { [json]: { schema: ref('SeriesAnswer') } } },
          400: problem('The body cannot be read, or has unknown fields'),
          404: problem('No such model, version or alias'),
          409: problem('The model is not one of series, or has not learned to forecast'),
          422: problem('A member is not as described, or series do not fit the model'),
          429: problem('Too much work is waiting; Retry-After says when to come back'),
          503: problem('The model is damaged, or the server is stopping'),
          504: problem('No answer in time'),
        },
      },
    },
    async ({ caller, tenant, headers, params: { model }, body }, reply) => {
      const stages = observer.predicting(reply, 'series');
      const demand = new Demand(reply.raw, timeoutOf(headers['x-request-timeout'], config.deadlineMs), limits.memory);
      const { series, forecast } = body as SeriesRequest;
      const question = { series: series.map(givenSeries), forecast, model, demand };
      const { channels, ...answer } = await demand.meet(tenant.predictions.series(caller, question));
      stages.answering();
      const steps = (values: Float32Array): (number | number[])[] =>
        channels === 1
          ? [...values]
          : Array.from({ length: values.length / channels }, (_, step) => [
              ...values.subarray(step * channels, (step + 1) * channels),
            ]);
      return reply
        .header('cache-control', 'no-store')
        .header('x-hourglass-model', `${answer.model}@${answer.version}`)
        .send({
          ...answer,
          series: answer.series.map(({ reconstruction, forecast: after, ...one }) => ({
            ...{ ...one, reconstruction: steps(reconstruction), forecast: steps(after) },
          })),
        });
    },
  );
}

/** The channels that a series has by its steps, where all have the same number; else a number that no model takes. */
function givenSeries(steps: SeriesRequest['series'][number]) {
  const widths = new Set(steps.map((step) => (Array.isArray(step) ? step.length : 1)));
  const [width = 0] = widths;
  return {
    values: Float32Array.from(steps.flat(), (value) => value ?? Number.NaN),
    channels: widths.size === 1 ? width : 0,
  };
}
