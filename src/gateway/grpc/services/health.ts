/** Standard health checking: every service is as ready as the gateway is. */

import { setTimeout as sleep } from 'node:timers/promises';
import { HourglassError } from '../../../base/errors.ts';
import {
  type Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../../gen/grpc/health/v1/health_pb.ts';
import type { Places } from '../../places.ts';
import type { Readiness } from '../../readiness.ts';
import type { Implementation } from '../service.ts';

const watchIntervalMs = 1000;

/** `services` are full names; the empty name asks for the server as a whole. */
export function healthService(
  readiness: Pick<Readiness, 'isReady'>,
  services: readonly string[],
  watchers: Places,
): Implementation<typeof Health> {
  const status = async (): Promise<ServingStatus> =>
    (await readiness.isReady()) ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  const isKnown = (service: string): boolean => service === '' || services.includes(service);
  return {
    async check({ service }) {
      if (!isKnown(service)) {
        throw new HourglassError('service-not-found', `There is no service ${service.slice(0, 100)}.`, {
          expected: services,
        });
      }
      return { status: await status() };
    },

    /** Sends the status at once and at each change. An unknown service may come with a later release: the stream stays open. */
    async *watch({ service }, call) {
      call.endOnDrain();
      const giveBack = watchers.take(call.client);
      try {
        let last: ServingStatus | undefined;
        for (;;) {
          const now = isKnown(service) ? await status() : ServingStatus.SERVICE_UNKNOWN;
          if (now !== last) yield { status: now };
          last = now;
          await sleep(watchIntervalMs, undefined, { signal: call.signal, ref: false });
        }
      } finally {
        giveBack();
      }
    },
  };
}
