/** One job, live: its newest state, the curves of its phases, and the samples that it sends. */

import { useEffect, useState } from 'preact/hooks';
import type { EpochMetrics, EpochSample, JobSamples, JobView } from '../sdk/index.ts';
import { ProblemError } from '../sdk/index.ts';
import { client, keyCount } from './server.ts';

export interface Watched {
  readonly job: JobView | undefined;
  readonly epochs: readonly EpochMetrics[];
  readonly samples: JobSamples | undefined;
  /** false while the stream of events is being opened again */
  readonly isLive: boolean;
  readonly error: unknown;
}

const start: Watched = { job: undefined, epochs: [], samples: undefined, isLive: false, error: undefined };
const againMs = 1500;

/** Follows the job until its end and beyond: one that is resumed goes on here. */
export function useWatched(id: string): Watched & { refresh(): void } {
  const [watched, setWatched] = useState<Watched>(start);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    const change = (changes: Partial<Watched>): void => {
      if (!stop.signal.aborted) setWatched((before) => ({ ...before, ...changes }));
    };
    const changeJob = (changes: Partial<JobView>): void =>
      setWatched((before) => ({ ...before, job: before.job && { ...before.job, ...changes } }));
    const loadSamples = async (): Promise<void> => {
      const samples = await client.jobs.samples(id, 0, { signal: stop.signal }).catch(() => undefined);
      if (samples) change({ samples });
    };
    const addSamples = async (at: number): Promise<void> => {
      const fresh = await client.jobs.samples(id, at, { signal: stop.signal }).catch(() => undefined);
      if (!fresh || stop.signal.aborted) return;
      setWatched((before) => ({
        ...before,
        samples: { ...fresh, samples: [...(before.samples?.samples.slice(0, at) ?? []), ...fresh.samples] },
      }));
    };
    const follow = async (): Promise<boolean> => {
      change({ job: await client.jobs.get(id, { signal: stop.signal }), error: undefined, isLive: true });
      await loadSamples();
      let epochs: EpochMetrics[] = [];
      let waiting: ReturnType<typeof setTimeout> | undefined;
      const show = (): void => {
        waiting = undefined;
        change({ epochs });
      };
      for await (const event of client.jobs.events(id, { signal: stop.signal })) {
        if (event.type === 'progress') changeJob({ progress: event.data });
        if (event.type === 'state') changeJob({ state: event.data.state });
        if (event.type === 'sample') void addSamples(event.data.at);
        if (event.type === 'epoch') {
          epochs = [...epochs.filter((known) => !isSame(known, event.data)), event.data];
          waiting ??= setTimeout(show, 50);
        }
        if (event.type === 'end') {
          clearTimeout(waiting);
          change({ job: event.data, epochs, isLive: false });
          return true;
        }
      }
      return false;
    };
    const keepFollowing = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        try {
          if (await follow()) return;
        } catch (error) {
          if (stop.signal.aborted) return;
          change({ error, isLive: false });
          if (error instanceof ProblemError && error.status >= 400 && !error.retryable) return;
        }
        await new Promise((resolve) => setTimeout(resolve, againMs));
      }
    };
    setWatched((before) => (before.job?.id === id ? before : start));
    void keepFollowing();
    return () => stop.abort();
  }, [id, turn, keyCount.value]);
  return { ...watched, refresh: () => setTurn((n) => n + 1) };
}

/** An epoch that is trained again after a crash is told again. */
const isSame = (a: EpochMetrics, b: EpochMetrics): boolean => a.phase === b.phase && a.epoch === b.epoch;

export type { EpochSample };
