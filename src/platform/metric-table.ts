/**
 * The table of every metric: name, meaning, unit, labels and the values that each label may take. Names follow
 * Prometheus: `hourglass_` in front, base units (seconds, bytes) at the end, `_total` on counters.
 */

/** A label's values: a closed list, or any text, of which only so many distinct values are kept. */
export type LabelValues = readonly string[] | { readonly atMost: number };

export interface MetricRow {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly name: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  /** upper bounds of a histogram's buckets, in the metric's unit */
  readonly buckets?: readonly number[];
}

const counter = <const L extends MetricRow['labels']>(name: string, help: string, labels: L) =>
  ({ kind: 'counter', name: `hourglass_${name}_total`, help, labels }) as const;
const gauge = <const L extends MetricRow['labels']>(name: string, help: string, labels: L) =>
  ({ kind: 'gauge', name: `hourglass_${name}`, help, labels }) as const;
const histogram = <const L extends MetricRow['labels']>(
  name: string,
  help: string,
  labels: L,
  buckets: readonly number[],
) => ({ kind: 'histogram', name: `hourglass_${name}`, help, labels, buckets }) as const;

const none = {};
const transport = ['rest', 'grpc'] as const;
const operation = [
  'encode',
  'decode',
  'denoise',
  'reconstruct',
  'classify',
  'generate',
  'outliers',
  'recommend',
  'analyse',
  'series',
  'translate',
] as const;
/** names of the router's own patterns and of RPC methods, never of a client's paths */
const route = { atMost: 100 } as const;
/** `ok` or a code of the error table */
const code = { atMost: 100 } as const;
const jobOutcome = ['succeeded', 'failed', 'cancelled'] as const;
const device = ['cpu', 'gpu', 'any'] as const;
const jobState = ['queued', 'running', 'cancelling', ...jobOutcome] as const;

const latency = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const minutes = [1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600];
const powersOfTwo = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16_384];

export const metricTable = {
  requests: counter('requests', 'Requests answered, by how they ended', { transport, route, code }),
  requestDuration: histogram(
    'request_duration_seconds',
    'From the arrival of the headers to the end of the answer',
    { transport, route },
    latency,
  ),
  requestsInFlight: gauge('requests_in_flight', 'Requests that are being answered', { transport }),
  connections: gauge('connections', 'Open connections', { transport }),
  bodyMemory: gauge('request_body_memory_bytes', 'Memory held by request bodies', none),
  eventStreams: gauge('event_streams', 'Open event streams', { transport }),

  stageDuration: histogram(
    'stage_duration_seconds',
    'Time of a prediction by stage: the request arrives and is read, waits for its batch, the model runs, the answer leaves',
    { stage: ['read', 'wait', 'run', 'write'], operation },
    latency,
  ),
  predictedRows: counter('predicted_rows', 'Rows answered', { operation }),
  batchRows: histogram('batch_rows', 'Rows of one run of a model', { operation }, powersOfTwo),
  predictionsWaiting: gauge('predictions_waiting', 'Predictions that wait for their batch', none),

  quotaRefusals: counter('quota_refusals', 'Requests that a quota of their tenant refused, by quota', {
    quota: ['requests', 'rows', 'streams', 'dataset-bytes', 'model-bytes'],
  }),

  modelLoads: counter('model_loads', 'Model versions brought into memory', { outcome: ['ok', 'failed'] }),
  modelLoadDuration: histogram('model_load_duration_seconds', 'Time to bring a version into memory', none, latency),
  modelsLoaded: gauge('models_loaded', 'Model versions in memory', none),
  modelEvictions: counter('model_evictions', 'Model versions dropped from memory to make room', none),

  queueUp: gauge('queue_up', '1 when the queue answers, else 0', none),
  queueTruncated: counter('queue_truncated', 'Times that the file of the embedded queue had lost its end', none),
  queueJobs: gauge('queue_jobs', 'Jobs in the queue by state', { state: jobState }),
  queueWaiting: gauge('queue_waiting_jobs', 'Jobs that wait for a worker, by the device that they need', {
    queue: device,
  }),
  queueRunning: gauge('queue_running_jobs', 'Jobs that a worker has, by the device that they need', { queue: device }),
  queueWorkers: gauge('queue_workers', 'Workers that take jobs from a queue', { queue: device }),
  queueOldestWait: gauge(
    'queue_oldest_wait_seconds',
    'How long the job that has waited longest for a worker has done so, 0 when none waits',
    { queue: device },
  ),
  jobsFinished: counter('jobs_finished', 'Jobs that ended, as the queue counts them: alike on every gateway', {
    outcome: jobOutcome,
  }),
  jobFailures: counter('job_failures', 'Jobs that failed, by reason, as the queue counts them', {
    reason: { atMost: 40 },
  }),
  jobAttempts: counter('job_attempts', 'Times that a job was started or taken up again', none),
  jobDuration: histogram(
    'job_duration_seconds',
    'From the start of a job to its end',
    { outcome: jobOutcome },
    minutes,
  ),
  jobsRunning: gauge('jobs_running', 'Jobs that this worker trains', none),

  trainingSteps: counter('training_steps', 'Optimizer steps', none),
  trainingSamples: counter('training_samples', 'Samples trained on', none),
  trainingThroughput: gauge('training_samples_per_second', 'Samples per second of the running jobs together', none),
  checkpoints: counter('checkpoints', 'Checkpoints written', none),

  uploads: counter('uploads', 'Data sets sent', { outcome: ['accepted', 'refused'] }),
  uploadBytes: counter('upload_bytes', 'Bytes of data sets that have arrived', none),

  bucketRequests: counter(
    'bucket_requests',
    'Requests to the bucket, by what they did and whether they were answered',
    {
      operation: ['get', 'put', 'head', 'list', 'delete'],
      outcome: ['ok', 'failed'],
    },
  ),
  bucketBytes: counter('bucket_bytes', 'Bytes of objects read from the bucket and written to it', {
    operation: ['get', 'put'],
  }),

  modelsAge: gauge('models_age_seconds', 'Since the bucket last confirmed which models there are', none),
  modelsFingerprint: gauge(
    'models_fingerprint',
    'A number that is the same on gateways that see the same versions and aliases',
    none,
  ),

  ready: gauge('ready', '1 when the part is ready, else 0', {
    part: ['queue', 'storage', 'registry', 'models', 'server'],
  }),
  restarts: counter('process_restarts', 'Times that a supervised process was started again', { part: { atMost: 10 } }),
  certificateExpiry: gauge(
    'certificate_expiry_timestamp_seconds',
    'When the certificate of the ports ends, seconds since 1970',
    none,
  ),
  buildInfo: gauge('build_info', 'Always 1; the labels say what runs', { version: { atMost: 1 }, node: { atMost: 1 } }),
} as const satisfies Record<string, MetricRow>;

export type MetricTable = typeof metricTable;
export type MetricName = keyof MetricTable;

type ValueOf<V> = V extends readonly (infer T)[] ? T : string;
/** The labels of a metric with the values that they may take. */
export type LabelsOf<N extends MetricName> = {
  readonly [L in keyof MetricTable[N]['labels']]: ValueOf<MetricTable[N]['labels'][L]>;
};
