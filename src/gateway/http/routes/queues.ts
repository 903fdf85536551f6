/** What waits and runs, by the device that jobs need, and the workers that are there. */

import type { App } from '../route-parts.ts';
import { problem, ref } from '../schemas.ts';

export function queueRoutes(app: App): void {
  app.get(
    '/v1/queues',
    {
      config: { scope: 'read' },
      schema: {
        tags: ['jobs'],
        summary: 'Show how many jobs wait and run in each queue, and how many workers take from it',
        response: {
          200: ref('QueueList', 'One queue for each kind of device'),
          503: problem('The queue cannot be reached'),
        },
      },
    },
    async ({ tenant: { queue } }) => {
      const [queues, jobs] = await Promise.all([queue.queues(), queue.counts()]);
      const shown = queues.map(({ name, waiting, running, workers }) => ({ name, waiting, running, workers }));
      return { queues: shown, jobs };
    },
  );

  app.get(
    '/v1/workers',
    {
      config: { scope: 'read' },
      schema: {
        tags: ['jobs'],
        summary: 'List the workers and gateways that are there, and the jobs that each worker trains',
        response: { 200: ref('WorkerList', 'The workers and gateways'), 503: problem('The queue cannot be reached') },
      },
    },
    async ({ tenant }) => {
      const [workers, gateways] = await Promise.all([tenant.queue.workers(), tenant.queue.gateways()]);
      return { workers, gateways };
    },
  );
}
