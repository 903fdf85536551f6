// Processor time of processes and of their first threads, from /proc (Linux).
import { readFileSync } from 'node:fs';

/** of a clock tick: USER_HZ, which Linux fixes at 100 for user space */
const tickSeconds = 0.01;

function secondsIn(file: string): number {
  try {
    const stat = readFileSync(file, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * tickSeconds;
  } catch {
    return 0; // it has ended
  }
}

/** Of all threads of a process, in seconds; 0 when it has ended. */
export const processSeconds = (pid: number): number => secondsIn(`/proc/${pid}/stat`);

export interface ProcessorTime {
  /** of the thread that trains, in seconds */
  readonly training: number;
  /** of the other threads of that process: reading, checksums, cache, garbage collection */
  readonly otherThreads: number;
  /** of the S3 server */
  readonly server: number;
}

export function processorTime(trainingPid: number, serverPid: number): ProcessorTime {
  const training = secondsIn(`/proc/${trainingPid}/task/${trainingPid}/stat`);
  return {
    training,
    otherThreads: processSeconds(trainingPid) - training,
    server: processSeconds(serverPid),
  };
}

export const between = (before: ProcessorTime, after: ProcessorTime): ProcessorTime => ({
  training: after.training - before.training,
  otherThreads: after.otherThreads - before.otherThreads,
  server: after.server - before.server,
});
