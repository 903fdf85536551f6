/** Jobs as messages: the same members as over REST. */

import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { HourglassError } from '../../../base/errors.ts';
import {
  type EpochSampleSchema,
  type JobCheckSchema,
  type JobEventSchema,
  type JobFailureSchema,
  type JobProgressSchema,
  type JobSamplesSchema,
  type JobSchema,
  JobState as StateNumber,
} from '../../../gen/hourglass/v1/training_pb.ts';
import type {
  EpochSample,
  JobCheck,
  JobEvent,
  JobFailure,
  JobProgress,
  JobSamples,
  JobSpec,
  JobState,
  JobView,
} from '../../../jobspec/job.ts';

export const stateNumbers = {
  queued: StateNumber.QUEUED,
  running: StateNumber.RUNNING,
  cancelling: StateNumber.CANCELLING,
  succeeded: StateNumber.SUCCEEDED,
  failed: StateNumber.FAILED,
  cancelled: StateNumber.CANCELLED,
} as const satisfies Record<JobState, StateNumber>;

/** undefined when unspecified; throws `invalid-request` for a number that is no state. */
export function jobStateOf(number: StateNumber): JobState | undefined {
  if (number === StateNumber.UNSPECIFIED) return undefined;
  for (const [state, known] of Object.entries(stateNumbers)) if (known === number) return state as JobState;
  throw new HourglassError('invalid-request', `There is no job state ${number}.`, {
    field: '/state',
    expected: Object.keys(stateNumbers),
    found: number,
  });
}

/** An object as it would stand in a JSON answer; a Struct cannot hold `undefined` or typed arrays. */
export const jsonObject = (value: object): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject;

export const timestamp = (text: string) => timestampFromDate(new Date(text));

const progressMessage = ({ loss, samplesPerSecond, etaSeconds, ...rest }: JobProgress) =>
  ({
    ...rest,
    ...(loss !== undefined && { loss }),
    ...(samplesPerSecond !== undefined && { samplesPerSecond }),
    ...(etaSeconds !== undefined && { etaSeconds }),
  }) satisfies MessageInitShape<typeof JobProgressSchema>;

export const failureMessage = ({ reason, message, log = [], signal }: JobFailure) =>
  ({ reason, message, log, ...(signal !== undefined && { signal }) }) satisfies MessageInitShape<
    typeof JobFailureSchema
  >;

const specMessage = ({ name, dataset, model, training }: JobSpec) => ({
  ...{ name, dataset },
  model: jsonObject(model),
  training: jsonObject(training),
});

export const checkMessage = ({ spec, warnings, memoryBytes }: JobCheck): MessageInitShape<typeof JobCheckSchema> => ({
  ...{ spec: specMessage(spec), warnings },
  memoryBytes: BigInt(memoryBytes),
});

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(base64, 'base64'));

export function samplesMessage({ rows, samples, next }: JobSamples): MessageInitShape<typeof JobSamplesSchema> {
  return {
    ...(rows && { rows: { ...rows, inputs: bytesOf(rows.inputs), labels: rows.labels ?? [] } }),
    samples: samples.map(sampleMessage),
    next,
  };
}

const sampleMessage = ({ phase, epoch, outputs, generated, codes = [] }: EpochSample) =>
  ({
    ...{ phase, epoch, outputs: bytesOf(outputs), codes: codes.flat() },
    ...(generated !== undefined && { generated: bytesOf(generated) }),
  }) satisfies MessageInitShape<typeof EpochSampleSchema>;

export function jobMessage(job: JobView): MessageInitShape<typeof JobSchema> {
  const { id, spec, attempts, warnings, progress, failure } = job;
  return {
    id,
    state: stateNumbers[job.state],
    spec: specMessage(spec),
    createdAt: timestamp(job.createdAt),
    ...(job.startedAt !== undefined && { startedAt: timestamp(job.startedAt) }),
    ...(job.finishedAt !== undefined && { finishedAt: timestamp(job.finishedAt) }),
    attempts,
    ...(job.waitingFor !== undefined && { waitingFor: job.waitingFor }),
    warnings,
    ...(progress && { progress: progressMessage(progress) }),
    ...(job.model !== undefined && { model: job.model }),
    ...(job.version !== undefined && { version: job.version }),
    ...(job.metrics && { metrics: job.metrics }),
    ...(failure && { failure: failureMessage(failure) }),
    ...(typeof job.asked === 'object' && job.asked !== null && { asked: jsonObject(job.asked) }),
    ...(job.losses && { losses: job.losses }),
  };
}

export function eventMessage(event: JobEvent): MessageInitShape<typeof JobEventSchema> {
  const { id, type, data } = event;
  switch (type) {
    case 'state':
      return { id, event: { case: 'state', value: stateNumbers[data.state] } };
    case 'progress':
      return { id, event: { case: 'progress', value: progressMessage(data) } };
    case 'epoch':
      return { id, event: { case: 'epoch', value: { ...data, metrics: { ...data.metrics } } } };
    case 'sample':
      return { id, event: { case: 'sample', value: data } };
    case 'end':
      return { id, event: { case: 'end', value: jobMessage(data) } };
    default:
      return event satisfies never;
  }
}
