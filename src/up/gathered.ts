/** What processes of one service tell each other about themselves, over the channel to their parent. */

import type { MetricsSnapshot } from '../platform/metrics.ts';
import type { Gathered } from './messages.ts';

/** What `hourglass up` tells a gateway of the metrics of its other parts. */
export function gatherMetrics(): () => MetricsSnapshot[] {
  let gathered: Gathered['snapshots'] = {};
  process.on('message', (message: Gathered) => {
    if (message.type === 'metrics') gathered = message.snapshots;
  });
  return () => Object.values(gathered);
}

/** Tells the parent now and then. Resolves when it has been told for the first time. */
export async function tellRegularly(everyMs: number, read: () => Promise<object>): Promise<void> {
  const tell = async (): Promise<void> => {
    const message = await read();
    if (process.connected) process.send?.(message);
  };
  setInterval(() => void tell(), everyMs).unref();
  await tell();
}
