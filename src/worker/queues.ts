/** Which queues a worker takes jobs from, and what it trains a job on. */

import type { Device } from '../jobspec/training.ts';
import type { EngineChoice } from './protocol.ts';

/** For the terminal: the worker was told to take jobs that it cannot train. */
export class WorkerQueueError extends Error {
  override readonly name = 'WorkerQueueError';
}

/** `wanted` as in HOURGLASS_WORKER_QUEUES. Throws WorkerQueueError for `gpu` on a worker without one. */
export function workerQueues(wanted: string, device: EngineChoice['device']): Device[] {
  const own: Device = device === 'cpu' ? 'cpu' : 'gpu';
  if (wanted === 'auto') return [own, 'any'];
  const queues = [...new Set(wanted.split(',') as Device[])];
  if (queues.includes('gpu') && own !== 'gpu') {
    throw new WorkerQueueError(
      'HOURGLASS_WORKER_QUEUES names gpu, but HOURGLASS_DEVICE is cpu. Set HOURGLASS_DEVICE to webgpu or cuda, or leave gpu out.',
    );
  }
  return queues;
}

/** A job that asks for a CPU gets one, also from a worker with a GPU. */
export const engineFor = (engine: EngineChoice, device: Device): EngineChoice =>
  device === 'cpu' ? { ...engine, device: 'cpu' } : engine;
