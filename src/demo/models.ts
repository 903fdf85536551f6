/** Which models the page can work with, which of them comes first, and what to say where there is none. */

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

export interface Choices {
  /** newest version of each model that the page can work with, the best choice first */
  readonly usable: readonly Version[];
  /** newest version of each other model */
  readonly others: readonly Version[];
}

/** `defaultModel` is the server's own, if it has one. */
export function choicesOf(models: readonly ModelSummary[], defaultModel: string | null): Choices {
  const newest = models.flatMap(({ versions }) => versions.slice(-1));
  const usable = newest.filter((version) => !obstacleOf(version));
  const rank = (version: Version): number => {
    if (version.name === defaultModel) return 0;
    // the pad draws digits
    if (version.lineage.dataset.name === 'mnist') return isForCompression(version) ? 1 : 2;
    return isForCompression(version) ? 3 : 4;
  };
  usable.sort((a, b) => rank(a) - rank(b) || b.createdAt.localeCompare(a.createdAt));
  return { usable, others: newest.filter((version) => obstacleOf(version)) };
}

function isForCompression({ lineage: { spec } }: Version): boolean {
  const model = typeof spec === 'object' && spec !== null && 'model' in spec ? spec.model : undefined;
  return typeof model === 'object' && model !== null && 'compression' in model;
}

/** The version itself if it removes noise, else a model of the same data set that does. */
export function denoiserFor(version: Version, models: readonly ModelSummary[]): Version | undefined {
  const newest = models.flatMap(({ versions }) => versions.slice(-1));
  return [version, ...newest].find(
    ({ operations, inputShape, inputRange, lineage }) =>
      operations.includes('denoise') &&
      inputShape.join() === version.inputShape.join() &&
      inputRange.join() === version.inputRange.join() &&
      lineage.dataset.name === version.lineage.dataset.name,
  );
}

/** Why pictures cannot be sent as frames of this version; undefined where they can. */
export function obstacleOf(version: Version): Notice | undefined {
  const reference = referenceOf(version);
  if (!pictureSize(version.inputShape)) {
    return {
      title: `${reference} does not take pictures`,
      text: `Its rows have the shape [${version.inputShape.join(', ')}]; pictures are [height, width, channels]. Send it rows of numbers through the API.`,
    };
  }
  if (!version.codec || !version.operations.includes('decode')) {
    return {
      title: `${reference} has no frames`,
      text: 'It was published without tables for its codes, so they cannot be sent as a few bytes. The log of its job says why.',
    };
  }
  return undefined;
}

export interface NoModelFacts {
  /** a sentence about what is being trained */
  readonly job: string | undefined;
  /** a model that cannot be used */
  readonly other: Version | undefined;
  /** of the server */
  readonly address: string;
}

/** Where there is no model to work with. */
export function noModelNotice({ job, other, address }: NoModelFacts): Notice {
  const obstacle = other && obstacleOf(other);
  const reason = obstacle ? `${obstacle.title}. ${obstacle.text} ` : '';
  const title = obstacle ? 'No model for pictures yet' : 'No model yet';
  if (job !== undefined) {
    return { title, text: `${reason}${job} This page updates automatically when the model is published.` };
  }
  const model = { type: 'dense', code: 32, hidden: [512], loss: 'sse', compression: { bytes: 14 } };
  const body = JSON.stringify({ name: 'digits', dataset: 'mnist', model });
  return {
    title,
    text: `${reason}No job is running either. Submit one; this page updates automatically when its model is published.`,
    code: `curl -s ${new URL('v1/jobs', address)} -H 'content-type: application/json' -d '${body}'`,
  };
}

/** A sentence about the job that is being trained or waits; undefined when there is none. */
export async function jobSentence(client: HourglassClient, signal: AbortSignal): Promise<string | undefined> {
  for (const state of ['running', 'queued'] as const) {
    const { jobs } = await client.jobs.list({ state, limit: 1, signal });
    const [job] = jobs;
    const percent = job?.progress ? `, ${Math.floor(job.progress.percent)} % done` : '';
    if (job) return `The job for ${job.spec.name} is ${state}${percent}.`;
  }
  return undefined;
}
