// Follows a job over its events and says where its seconds went.
import { HourglassClient } from '../../src/sdk/index.ts';

export interface Timeline {
  /** from the submission to the end of the job */
  readonly seconds: number;
  /** between the ends of epochs: steps, held-out rows, checkpoint, samples */
  readonly epochs: readonly number[];
  /** adds up to `seconds` */
  readonly parts: Readonly<Record<Part, number>>;
  readonly testMse: number;
}

export const parts = [
  'queue, until a worker has it',
  'start of the training process',
  'data and graph',
  'training steps',
  'rest of the epochs: held-out rows, checkpoints, samples',
  'outlier scores, codec, bundle, report, PCA',
  'publication and end',
] as const;
export type Part = (typeof parts)[number];

/** Submits a job and waits for its end. Throws when it does not succeed. */
export async function followToEnd(url: string, request: Parameters<HourglassClient['jobs']['submit']>[0]) {
  const { jobs } = new HourglassClient({ baseUrl: url });
  const submitted = performance.now();
  const { id } = await jobs.submit(request);
  const at = (): number => (performance.now() - submitted) / 1000;
  const first: { running?: number; told?: number; evaluating?: number; publishing?: number } = {};
  /** when steps were first reported, and their share of all */
  let stepped: { at: number; share: number } | undefined;
  const epochEnds: number[] = [];
  for await (const { type, data } of jobs.events(id)) {
    const now = at();
    if (type === 'state' && data.state === 'running') first.running ??= now;
    if (type === 'epoch') epochEnds.push(now);
    if (type === 'progress') {
      first.told ??= now;
      if (data.step > 0) stepped ??= { at: now, share: data.step / data.steps };
      if (data.phase === 'evaluate') first.evaluating ??= now;
      if (data.phase === 'publish') first.publishing ??= now;
    }
    if (type !== 'end') continue;
    if (data.state !== 'succeeded') throw new Error(`the job ${data.state}: ${JSON.stringify(data.failure)}`);
    const metrics = data.metrics ?? {};
    const { running = 0, told = running } = first;
    const steps = metrics['train.seconds'] ?? Number.NaN;
    const begun = (stepped?.at ?? told) - (stepped?.share ?? 0) * steps;
    const trained = first.evaluating ?? epochEnds.at(-1) ?? begun;
    const published = first.publishing ?? trained;
    const seconds: Record<Part, number> = {
      'queue, until a worker has it': running,
      'start of the training process': told - running,
      'data and graph': begun - told,
      'training steps': steps,
      'rest of the epochs: held-out rows, checkpoints, samples': trained - begun - steps,
      'outlier scores, codec, bundle, report, PCA': published - trained,
      'publication and end': now - published,
    };
    const epochs = epochEnds.map((end, i) => end - (epochEnds[i - 1] ?? begun));
    return { seconds: now, epochs, parts: seconds, testMse: metrics['test.mse'] ?? Number.NaN } satisfies Timeline;
  }
  throw new Error('the events of the job ended before the job');
}
