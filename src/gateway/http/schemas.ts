/** The schemas that routes share: what the contract calls its components. Types derive from them. */

import { type Static, type TInteger, type TSchema, Type } from 'typebox';
import { AuditPage } from '../../access/audit-entry.ts';
import { KeyRequest, KeyView } from '../../access/key-record.ts';
import { scopes } from '../../base/caller.ts';
import { errorTable } from '../../base/errors.ts';
import { DocumentFacts } from '../../data/document-facts.ts';
import { RatingFacts } from '../../data/rating-facts.ts';
import { SourceFacts } from '../../data/source-facts.ts';
import { UploadOptions } from '../../data/upload.ts';
import {
  EpochSample,
  GatewayView,
  idPattern,
  JobCheck,
  JobSamples,
  JobSpec,
  type JobState,
  JobView,
  namePattern,
  WorkerView,
} from '../../jobspec/job.ts';
import { ModelSpec } from '../../jobspec/model.ts';
import { PairFacts } from '../../jobspec/pair-facts.ts';
import { JobRequest, SearchRequest } from '../../jobspec/request.ts';
import { SeriesFacts } from '../../jobspec/series-facts.ts';
import { SweepCheck, SweepView } from '../../jobspec/sweep.ts';
import { Device, TrainingSpec } from '../../jobspec/training.ts';
import { Preprocessing } from '../../picture/schema.ts';
import { AliasChange } from '../../registry/alias-history.ts';
import { Manifest } from '../../registry/manifest.ts';
import { referencePattern } from '../../registry/reference.ts';
import { readinessParts } from '../readiness.ts';
import { SubmitMembers } from '../submit.ts';
import { problemType, typePrefix } from './errors.ts';
import { FrameAnswer, PictureFrameAnswer, RangeWarnings } from './frame-answer.ts';
import { Recommendations, RecommendRequest } from './recommend-schemas.ts';
import { SeriesAnswer, SeriesRequest } from './series-schemas.ts';
import { AnalyseRequest, Analysis } from './text-schemas.ts';
import { TranslateRequest, Translations } from './translate-schemas.ts';

const closed = { additionalProperties: false } as const;

export const Problem = Type.Object(
  {
    type: Type.String({ description: `${typePrefix} and the code` }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.Enum(Object.keys(errorTable), { description: 'what went wrong, for programs; codes are never renamed' }),
    detail: Type.String({ description: 'what was found, what is allowed and what to do' }),
    requestId: Type.String({ description: 'also in the header X-Request-Id and in the log' }),
    field: Type.Optional(
      Type.String({ description: 'where in the request: a JSON pointer, ?name in the query, or a header' }),
    ),
    expected: Type.Optional(Type.Unknown({ description: 'what is allowed there' })),
    found: Type.Optional(Type.Unknown({ description: 'what was there instead' })),
    quota: Type.Optional(Type.String({ description: 'the quota that is used up, as RateLimit-Policy names it' })),
  },
  { description: 'RFC 9457 problem details' },
);

/** A job specification and what a submission may say besides, in one object. */
const JobSubmission: TSchema = Type.Unsafe({
  ...JobRequest,
  properties: { ...(JobRequest as { properties?: object }).properties, ...SubmitMembers.properties },
});

export const JobList = Type.Object({
  jobs: Type.Array(JobView, { description: 'newest first' }),
  nextCursor: Type.Optional(Type.String({ description: 'for ?cursor= of the next page; absent on the last' })),
});

/** `job` is a job specification as for POST /v1/jobs. */
const SweepRequest = Type.Object(
  { job: JobRequest, search: SearchRequest, priority: SubmitMembers.properties.priority },
  closed,
);

export const SweepList = Type.Object({ sweeps: Type.Array(SweepView, { description: 'newest first' }) });

const jobStates = ['queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled'] as const satisfies JobState[];

export const QueueList = Type.Object({
  queues: Type.Array(
    Type.Object({
      name: Device,
      waiting: Type.Integer({ minimum: 0, description: 'jobs that a worker could begin now' }),
      running: Type.Integer({ minimum: 0 }),
      workers: Type.Integer({ minimum: 0, description: 'workers that take jobs from it' }),
    }),
    { description: 'one for each kind of device that a job may need' },
  ),
  jobs: Type.Object(
    Object.fromEntries(jobStates.map((state) => [state, Type.Integer({ minimum: 0 })])) as Record<JobState, TInteger>,
    { description: 'how many jobs are in each state, all queues together' },
  ),
});

export const WorkerList = Type.Object({
  workers: Type.Array(WorkerView, { description: 'in the order of their start' }),
  gateways: Type.Array(GatewayView, { description: 'in the order of their start' }),
});

export const DatasetRows = Type.Object({
  dataset: Type.String(),
  split: Type.Enum(['train', 'test']),
  offset: Type.Integer({ minimum: 0, description: 'number of the first row' }),
  total: Type.Integer({ minimum: 0, description: 'rows of the split' }),
  shape: Type.Array(Type.Integer({ minimum: 1 }), { description: 'of one row' }),
  rows: Type.Array(Type.Array(Type.Union([Type.Number(), Type.Null()])), {
    description: 'values of each row, flat; null where a series has none',
  }),
  labels: Type.Optional(Type.Array(Type.Integer(), { description: 'class number of each row' })),
  classCounts: Type.Optional(
    Type.Array(Type.Integer({ minimum: 0 }), { description: 'rows of each class, in the whole split' }),
  ),
  texts: Type.Optional(
    Type.Array(Type.String(), {
      description: 'each row in words: a document and its most frequent words, the highest ratings, source → target',
    }),
  ),
});

export const DatasetInfo = Type.Object({
  name: Type.String(),
  hash: Type.String({ description: 'SHA-256 of the normalised content' }),
  shape: Type.Array(Type.Integer({ minimum: 1 }), { description: 'of one row; pictures are height, width, channels' }),
  range: Type.Tuple([Type.Number(), Type.Number()], { description: 'smallest and largest value' }),
  scaling: Type.Object(
    { divisor: Type.Integer({ description: '1 or 255' }) },
    { description: 'what was done to the values: value of a row = uploaded value / divisor' },
  ),
  rows: Type.Object({ train: Type.Integer({ minimum: 0 }), test: Type.Integer({ minimum: 0 }) }),
  sizes: Type.Optional(
    Type.Enum(['mixed'], {
      description: 'there when pictures keep their own sizes; the shape has the largest height and width then',
    }),
  ),
  classes: Type.Optional(Type.Integer({ minimum: 1 })),
  classNames: Type.Optional(Type.Array(Type.String())),
  preprocessing: Type.Optional(Preprocessing),
  ratings: Type.Optional(RatingFacts),
  documents: Type.Optional(DocumentFacts),
  series: Type.Optional(SeriesFacts),
  pairs: Type.Optional(PairFacts),
  ...Type.Partial(SourceFacts).properties,
  warnings: Type.Array(Type.String(), { description: 'what may not have been meant: guesses, and what was left out' }),
  builtIn: Type.Boolean(),
  createdAt: Type.Optional(Type.String({ format: 'date-time' })),
});

export const UploadForm = Type.Object({
  name: Type.Optional(Type.String()),
  options: Type.Optional(Type.String({ description: 'UploadOptions as JSON' })),
  rows: Type.String({
    format: 'binary',
    description: '.npy, idx (also .gz), .csv, text, JSON Lines, or a zip or tar of pictures or texts',
  }),
  labels: Type.Optional(Type.String({ format: 'binary', description: 'one class a row' })),
  'test-rows': Type.Optional(Type.String({ format: 'binary' })),
  'test-labels': Type.Optional(Type.String({ format: 'binary' })),
  items: Type.Optional(Type.String({ format: 'binary', description: 'of ratings: lines of item and name' })),
});

export const DatasetList = Type.Object({ datasets: Type.Array(DatasetInfo) });

export const ModelView = Type.Object({
  name: Type.String(),
  aliases: Type.Record(Type.String(), Type.Integer(), { description: 'alias → version' }),
  aliasChanges: Type.Array(AliasChange, { description: 'the newest changes of aliases, oldest first' }),
  versions: Type.Array(Manifest, { description: 'oldest first' }),
  isShared: Type.Optional(
    Type.Boolean({ description: 'the tenant `default` shares it: others can read it and ask it, not change it' }),
  ),
});

export const ModelList = Type.Object({ models: Type.Array(ModelView) });

export const AliasTarget = Type.Object(
  { version: Type.Integer({ minimum: 1, maximum: 999_999_999, description: 'what the alias shall point to' }) },
  closed,
);
export type AliasTarget = Static<typeof AliasTarget>;

const Rows = Type.Array(Type.Unknown(), {
  minItems: 1,
  description:
    'rows of numbers, flat or nested in the shape of the model: [[784 numbers]] or [[28 rows of 28 numbers]]',
});
/** How calls name a model. */
export const ModelReference = Type.String({
  pattern: referencePattern,
  description: 'digits (newest), digits@2 or digits:stable',
});
const model = Type.Optional(ModelReference);
const answered = { model: Type.String(), version: Type.Integer({ minimum: 1 }) };

export const RowsRequest = Type.Object({ model, inputs: Rows }, closed);
export const CodesRequest = Type.Object({ model, codes: Rows }, closed);
export const CodesAnswer = Type.Object({
  ...answered,
  codes: Rows,
  outliers: Type.Optional(
    Type.Array(
      Type.Object({
        score: Type.Number({
          description: 'around 0 for ordinary rows; more is reconstructed worse than rows like it are',
        }),
        pValue: Type.Number({
          exclusiveMinimum: 0,
          maximum: 1,
          description:
            'how often rows that the model was not trained on, but that are like those it was, are as far out; two-sided',
        }),
      }),
      { description: 'of each row, where ?outliers=true asked for it' },
    ),
  ),
  warnings: RangeWarnings,
});
export const ClassesAnswer = Type.Object({
  ...answered,
  probabilities: Type.Array(Type.Array(Type.Number({ minimum: 0, maximum: 1 })), {
    description: 'of each row by class, together 1',
  }),
  labels: Type.Array(Type.Integer({ minimum: 0 }), { description: 'number of the most probable class of each row' }),
  classes: Type.Array(Type.String(), { description: 'what the classes are called, by their number' }),
  warnings: RangeWarnings,
});
export const GenerateRequest = Type.Object(
  {
    count: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1, description: 'rows to make' })),
    seed: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 0xffff_ffff,
        description: 'the same seed, the same rows; default: a new one',
      }),
    ),
  },
  closed,
);
export type GenerateRequest = Static<typeof GenerateRequest>;
export const OutputsAnswer = Type.Object({ ...answered, outputs: Rows, warnings: RangeWarnings });
export const GeneratedAnswer = Type.Object({
  ...answered,
  outputs: Rows,
  seed: Type.Integer({ description: 'asked for again, it gives the same rows' }),
});

export const Readiness = Type.Object({
  ready: Type.Boolean(),
  parts: Type.Object(
    Object.fromEntries(
      readinessParts.map((part) => [part, Type.Object({ ready: Type.Boolean(), detail: Type.String() })] as const),
    ),
  ),
});

export const Info = Type.Object({
  name: Type.Literal('hourglass'),
  api: Type.Literal('v1'),
  access: Type.String({
    description: 'how callers say who they are: keys, oidc or both; off: everybody may do everything',
  }),
  pages: Type.Array(Type.String(), { description: 'pages for people that are turned on: console, demo' }),
  version: Type.Optional(Type.String()),
  node: Type.Optional(Type.String()),
  uptimeSeconds: Type.Optional(Type.Number({ minimum: 0 })),
  defaultModel: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  store: Type.Optional(Type.Enum(['folder', 's3'], { description: 'where models and data sets are kept' })),
  limits: Type.Optional(
    Type.Object({
      bodyBytes: Type.Integer(),
      uploadBytes: Type.Integer(),
      batchRows: Type.Integer(),
      imagePixels: Type.Integer(),
    }),
  ),
  caller: Type.Optional(
    Type.Object(
      { tenant: Type.String(), scopes: Type.Array(Type.Enum([...scopes])) },
      { description: 'who asks, where access control is on' },
    ),
  ),
});
export type Info = Static<typeof Info>;

export const KeyList = Type.Object({ keys: Type.Array(KeyView, { description: 'newest first' }) });
export const NewKey = Type.Object({
  ...KeyView.properties,
  key: Type.String({ description: 'the key itself; it is not shown again' }),
});

/** By the name that the contract gives them. */
export const components = {
  Problem,
  JobView,
  JobSpec,
  ModelSpec,
  TrainingSpec,
  JobRequest: JobSubmission,
  AuditPage,
  JobList,
  JobCheck,
  EpochSample,
  JobSamples,
  WorkerView,
  GatewayView,
  WorkerList,
  DatasetRows,
  SweepRequest,
  SweepView,
  SweepList,
  SweepCheck,
  QueueList,
  DatasetInfo,
  DatasetList,
  UploadOptions,
  UploadForm,
  Manifest,
  ModelView,
  ModelList,
  AliasTarget,
  RowsRequest,
  CodesRequest,
  CodesAnswer,
  ClassesAnswer,
  OutputsAnswer,
  GenerateRequest,
  GeneratedAnswer,
  RecommendRequest,
  Recommendations,
  AnalyseRequest,
  Analysis,
  SeriesRequest,
  SeriesAnswer,
  TranslateRequest,
  Translations,
  FrameAnswer,
  PictureFrameAnswer,
  Readiness,
  Info,
  KeyView,
  KeyRequest,
  KeyList,
  NewKey,
} satisfies Record<string, TSchema>;

/** A component by reference. */
export const ref = (name: keyof typeof components, description?: string) => ({
  $ref: `${name}#`,
  ...(description !== undefined && { description }),
});

export const problem = (description: string) => ({
  description,
  content: { [problemType]: { schema: ref('Problem') } },
});

/** An answer without a body. */
export const noContent = (description: string): { description: string; type: string } => ({
  description,
  type: 'null',
});

export const ModelParams = Type.Object({
  model: Type.String({ pattern: namePattern, description: 'name of a model' }),
});
export const VersionParams = Type.Object({
  ...ModelParams.properties,
  // a number to clients, text to handlers: `parseVersion` reads it
  version: Type.Unsafe<string>(Type.Integer({ minimum: 1, maximum: 999_999_999, description: 'number of a version' })),
});
export const ReferenceParams = Type.Object({ model: ModelReference });

export const JobParams = Type.Object({ id: Type.String({ pattern: idPattern, description: 'id of a job' }) });
export const SweepParams = Type.Object({ id: Type.String({ pattern: idPattern, description: 'id of a sweep' }) });
