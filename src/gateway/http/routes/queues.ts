/** What waits and runs, by the device that jobs need. */

import type { App, RouteParts } from '../route-parts.ts';
import { problem, ref } from '../schemas.ts';

export function queueRoutes(app: App, { queue }: RouteParts): void {
  app.get(
    '/v1/queues',
    {
      schema: {
        tags: ['jobs'],
        summary: 'Show how many jobs wait and run in each queue, and how many workers take from it',
        response: {
          200: ref('QueueList', 'One queue for each kind of device'),
          503: problem('The queue cannot be reached'),
        },
      },
    },
    async () => ({ queues: await queue.queues() }),
  );
}
