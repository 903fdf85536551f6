// What the training process of a job takes, from /proc.
import { readFileSync } from 'node:fs';
import { descendants } from '../faults/fleet.ts';
import { processSeconds } from '../stream/processor-time.ts';

export interface TrainingCost {
  /** peak resident memory, 10^6 bytes */
  readonly megabytes: number;
  readonly processorSeconds: number;
}

/** Watches the training processes below `ancestor` until it is stopped. */
export function watchTraining(ancestor: number): { stop(): TrainingCost } {
  let [megabytes, processorSeconds] = [0, 0];
  const look = async (): Promise<void> => {
    for (const pid of await descendants(ancestor)) {
      try {
        if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker/child.js')) continue;
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        megabytes = Math.max(megabytes, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1000);
        processorSeconds = Math.max(processorSeconds, processSeconds(pid));
      } catch {
        // The process has ended.
      }
    }
  };
  const timer = setInterval(() => void look(), 100);
  return {
    stop: () => {
      clearInterval(timer);
      return { megabytes, processorSeconds };
    },
  };
}
