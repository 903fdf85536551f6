/** Which models the page can work with, and what to say where there is none. */

import type { HourglassClient, ModelSummary } from '../sdk/client.ts';
import { pictureSize } from '../sdk/picture.ts';

export type Version = ModelSummary['versions'][number];

export interface Notice {
  readonly title: string;
  readonly text: string;
  /** a command that helps */
  readonly code?: string;
}

export const referenceOf = ({ name, version }: Version): string => `${name}@${version}`;

/** The newest version of each model, those that the page can work with first. */
export function choicesOf(models: readonly ModelSummary[]): readonly Version[] {
  const newest = models.flatMap(({ versions }) => versions.slice(-1));
  const rank = (version: Version): number => (obstacleOf(version) ? 1 : 0);
  return newest.sort((a, b) => rank(a) - rank(b) || b.createdAt.localeCompare(a.createdAt));
}

/** Why pictures cannot be sent as frames of this version; undefined where they can. */
export function obstacleOf(version: Version): Notice | undefined {
  const reference = referenceOf(version);
  if (!pictureSize(version.inputShape)) {
    return {
      title: `${reference} does not take pictures`,
      text: `Its rows have the shape [${version.inputShape.join(', ')}]; pictures are [height, width, channels]. Choose another model, or send rows of numbers through the API.`,
    };
  }
  if (!version.codec || !version.operations.includes('decode')) {
    return {
      title: `${reference} has no frames`,
      text: 'No table for its codes was published with it, so they cannot be sent as a few bytes. Choose another model, or train it again with this release.',
    };
  }
  return undefined;
}

export function noModelNotice(job: string | undefined): Notice {
  if (job !== undefined) {
    return { title: 'No model yet', text: `${job} This page goes on by itself when the model is published.` };
  }
  const body = JSON.stringify({ name: 'digits', dataset: 'mnist', model: { type: 'dense' } });
  return {
    title: 'No model yet',
    text: 'Nothing is being trained either. Submit a job; this page goes on by itself when its model is published.',
    code: `curl -s ${new URL('v1/jobs', document.baseURI)} -H 'content-type: application/json' -d '${body}'`,
  };
}

/** A sentence about the job that is being trained or waits; undefined when there is none. */
export async function jobSentence(client: HourglassClient, signal: AbortSignal): Promise<string | undefined> {
  for (const state of ['running', 'queued'] as const) {
    const { jobs } = await client.jobs.list({ state, limit: 1 }, { signal });
    const [job] = jobs;
    const percent = job?.progress ? `, ${Math.floor(job.progress.percent)} % done` : '';
    if (job) return `The job for ${job.spec.name} is ${state}${percent}.`;
  }
  return undefined;
}
