/** Generated from openapi.yaml by `npm run generate:openapi`: what calls take and answer. */

/** RFC 9457 problem details */
export type Problem = {
  /** urn:hourglass:problem: and the code */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** what went wrong, for programs; codes are never renamed */
  readonly code: 'malformed-json' | 'malformed-body' | 'payload-too-large' | 'decompressed-too-large' | 'too-many-parts' | 'unsupported-media-type' | 'not-acceptable' | 'method-not-allowed' | 'expectation-failed' | 'unsupported-transfer-coding' | 'headers-too-large' | 'request-timeout' | 'invalid-request' | 'unknown-field' | 'invalid-type' | 'non-finite' | 'shape-mismatch' | 'empty-batch' | 'batch-too-large' | 'invalid-spec' | 'invalid-reference' | 'model-required' | 'route-not-found' | 'service-not-found' | 'model-not-found' | 'version-not-found' | 'dataset-not-found' | 'job-not-found' | 'key-not-found' | 'file-not-found' | 'operation-not-supported' | 'job-finished' | 'job-not-finished' | 'version-exists' | 'version-in-use' | 'frames-expected' | 'model-read-only' | 'dataset-exists' | 'dataset-in-use' | 'dataset-read-only' | 'idempotency-key-reused' | 'unsupported-schema' | 'invalid-dataset' | 'unsupported-dataset' | 'unsafe-archive' | 'image-too-large' | 'image-unreadable' | 'invalid-frame' | 'frame-checksum' | 'unsupported-frame-version' | 'decoder-unknown' | 'model-mismatch' | 'unauthenticated' | 'forbidden' | 'access-unavailable' | 'host-not-allowed' | 'origin-not-allowed' | 'overloaded' | 'quota-exceeded' | 'deadline-exceeded' | 'cancelled' | 'queue-unavailable' | 'outcome-unknown' | 'queue-storage-full' | 'storage-full' | 'storage-unavailable' | 'dataset-corrupt' | 'model-corrupt' | 'model-crashed' | 'shutting-down' | 'device-unavailable' | 'diverged' | 'internal';
  /** what was found, what is allowed and what to do */
  readonly detail: string;
  /** also in the header X-Request-Id and in the log */
  readonly requestId: string;
  /** where in the request: a JSON pointer, ?name in the query, or a header */
  readonly field?: string;
  /** what is allowed there */
  readonly expected?: unknown;
  /** what was there instead */
  readonly found?: unknown;
  /** the quota that is used up, as RateLimit-Policy names it */
  readonly quota?: string;
};

export type JobView = {
  readonly id: string;
  readonly state: 'queued' | 'running' | 'cancelling' | 'succeeded' | 'failed' | 'cancelled';
  readonly spec: JobSpec;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  /** from 0 */
  readonly attempts: number;
  readonly waitingFor?: 'storage-full' | 'storage-unavailable';
  readonly progress?: Progress;
  readonly warnings: readonly string[];
  readonly model?: string;
  readonly version?: number;
  readonly metrics?: { readonly [name: string]: number };
  readonly failure?: {
    readonly reason: string;
    readonly message: string;
    readonly log?: readonly string[];
    readonly signal?: string;
  };
  /** the request as it was sent, before defaults were filled in */
  readonly asked?: unknown;
  /** training loss of the newest epochs, oldest first; in lists with ?losses=true */
  readonly losses?: readonly number[];
};

export type JobSpec = {
  /** lower-case letters, digits, dot, dash and underscore; at most 63 characters */
  readonly name: string;
  /** lower-case letters, digits, dot, dash and underscore; at most 63 characters */
  readonly dataset: string;
  readonly model: ModelSpec;
  readonly training: Training;
};

export type ModelSpec = ModelSpecLinear | ModelSpecDense | ModelSpecTied | ModelSpecDeep | ModelSpecSparse | ModelSpecKSparse | ModelSpecDenoising | ModelSpecStackedDenoising | ModelSpecContractive | ModelSpecConvolutional | ModelSpecVariational | ModelSpecRbm | ModelSpecDeepBelief | ModelSpecPicture | ModelSpecRestoration | ModelSpecEase | ModelSpecAutorec | ModelSpecMultVae | ModelSpecTopics | ModelSpecSemanticHashing | ModelSpecSequence | ModelSpecSequenceToSequence;

export type TrainingSpec = {
  /** what it is trained on; each has a queue of its own, and a worker takes from those that it can serve; default "any" */
  readonly device: 'cpu' | 'gpu' | 'any';
  /** default 5; 1 to 100000 */
  readonly epochs: number;
  /** train on the first n rows only; from 1 */
  readonly maxSamples?: number;
  /** default 128; 1 to 65536 */
  readonly batchSize: number;
  readonly optimizer: Optimizer;
  readonly validation: Validation;
  readonly earlyStopping?: EarlyStopping;
  readonly evaluation: Evaluation;
  /** default 1; 0 to 4294967295 */
  readonly seed: number;
};

export type JobRequest = {
  /** lower-case letters, digits, dot, dash and underscore; at most 63 characters */
  readonly name: string;
  /** lower-case letters, digits, dot, dash and underscore; at most 63 characters */
  readonly dataset: string;
  readonly model: ModelRequest;
  readonly training?: TrainingRequest;
  /** jobs of higher priority start first; 0 when absent; -1000 to 1000 */
  readonly priority?: number;
  /** seconds from now until which the job must have ended; up to 31622400 */
  readonly deadlineSeconds?: number;
};

export type AuditPage = {
  /** newest first */
  readonly entries: readonly ({
    /** grows with time */
    readonly id: string;
    readonly at: string;
    /** `key:ID`, `token:SUBJECT`, or `anybody` without access control */
    readonly caller: string;
    /** of the caller */
    readonly tenant: string;
    /** what was done */
    readonly action: 'job.submit' | 'job.cancel' | 'job.resume' | 'job.retry' | 'job.delete' | 'sweep.submit' | 'sweep.cancel' | 'dataset.create' | 'dataset.delete' | 'alias.set' | 'alias.delete' | 'version.delete' | 'model.delete' | 'model.share' | 'model.unshare' | 'model.load' | 'model.unload' | 'key.create' | 'key.rotate' | 'key.revoke';
    /** to what, as in the paths of this API: `models/digits/aliases/stable` */
    readonly target: string;
    /** what else the call said */
    readonly details?: { readonly [name: string]: string };
    /** unknown: the queue did not say whether it did what was asked */
    readonly outcome: 'done' | 'unknown';
    /** X-Request-Id of the call */
    readonly requestId: string;
    readonly transport: 'rest' | 'grpc';
    /** where the call came from; of IPv6 the /64 network */
    readonly address?: string;
  })[];
  /** for ?cursor= of the next page; absent on the last */
  readonly nextCursor?: string;
};

export type JobList = {
  /** newest first */
  readonly jobs: readonly JobView[];
  /** for ?cursor= of the next page; absent on the last */
  readonly nextCursor?: string;
};

export type JobCheck = {
  readonly spec: JobSpec;
  readonly warnings: readonly string[];
  /** estimated memory of the training process; from 0 */
  readonly memoryBytes: number;
};

export type EpochSample = {
  readonly phase: string;
  /** from 0 */
  readonly epoch: number;
  /** reconstructions of the rows, as `inputs` */
  readonly outputs: string;
  /** rows decoded from random codes, the same codes in every sample */
  readonly generated?: string;
  /** of some hundred held-out rows, where a code has 2 values */
  readonly codes?: readonly (readonly number[])[];
};

export type JobSamples = {
  readonly rows?: {
    /** from 1 */
    readonly rows: number;
    /** of one row as shown; large pictures are thinned out */
    readonly shape: readonly number[];
    /** the rows, one byte a value, 0 the smallest value of the data set and 255 the largest */
    readonly inputs: string;
    /** class numbers of the rows that have codes */
    readonly labels?: readonly number[];
  };
  /** oldest first */
  readonly samples: readonly EpochSample[];
  /** for ?after= of the next call; from 0 */
  readonly next: number;
};

export type WorkerView = {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** engine and device, such as onnx/cpu */
  readonly engine: string;
  readonly release: string;
  /** what it takes jobs from */
  readonly queues: readonly string[];
  /** jobs at a time; from 1 */
  readonly concurrency: number;
  readonly startedAt: string;
  /** ids of the jobs that it trains */
  readonly jobs: readonly string[];
};

export type GatewayView = {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly release: string;
  readonly startedAt: string;
};

export type WorkerList = {
  /** in the order of their start */
  readonly workers: readonly WorkerView[];
  /** in the order of their start */
  readonly gateways: readonly GatewayView[];
};

export type DatasetRows = {
  readonly dataset: string;
  readonly split: 'train' | 'test';
  /** number of the first row; from 0 */
  readonly offset: number;
  /** rows of the split; from 0 */
  readonly total: number;
  /** of one row */
  readonly shape: readonly number[];
  /** values of each row, flat; null where a series has none */
  readonly rows: readonly (readonly (number | null)[])[];
  /** class number of each row */
  readonly labels?: readonly number[];
  /** rows of each class, in the whole split */
  readonly classCounts?: readonly number[];
  /** each row in words: a document and its most frequent words, the highest ratings, source → target */
  readonly texts?: readonly string[];
};

export type SweepRequest = {
  readonly job: {
    /** lower-case letters, digits, dot, dash and underscore; at most 63 characters */
    readonly name: string;
    /** lower-case letters, digits, dot, dash and underscore; at most 63 characters */
    readonly dataset: string;
    readonly model: ModelRequest;
    readonly training?: TrainingRequest;
  };
  readonly search: SearchGridRequest | SearchRandomRequest;
  /** jobs of higher priority start first; 0 when absent; -1000 to 1000 */
  readonly priority?: number;
};

export type SweepView = {
  readonly id: string;
  /** of the model that the best trial is published as */
  readonly name: string;
  readonly state: 'queued' | 'running' | 'cancelling' | 'succeeded' | 'failed' | 'cancelled';
  readonly search: Search;
  readonly createdAt: string;
  readonly finishedAt?: string;
  /** in the order of the search */
  readonly trials: readonly Trials[];
  /** id of the trial with the lowest held-out loss */
  readonly best?: string;
  readonly model?: string;
  readonly version?: number;
  readonly metrics?: { readonly [name: string]: number };
  readonly failure?: {
    readonly reason: string;
    readonly message: string;
    readonly log?: readonly string[];
    readonly signal?: string;
  };
  readonly warnings: readonly string[];
};

export type SweepList = {
  /** newest first */
  readonly sweeps: readonly SweepView[];
};

export type SweepCheck = {
  readonly search: Search;
  /** in the order of the search */
  readonly trials: readonly {
    /** what distinguishes it, by JSON pointer */
    readonly parameters: { readonly [name: string]: unknown };
    /** estimated memory of its training process; from 0 */
    readonly memoryBytes: number;
  }[];
  readonly warnings: readonly string[];
};

export type QueueList = {
  /** one for each kind of device that a job may need */
  readonly queues: readonly ({
    /** what it is trained on; each has a queue of its own, and a worker takes from those that it can serve; default "any" */
    readonly name: 'cpu' | 'gpu' | 'any';
    /** jobs that a worker could begin now; from 0 */
    readonly waiting: number;
    /** from 0 */
    readonly running: number;
    /** workers that take jobs from it; from 0 */
    readonly workers: number;
  })[];
  /** how many jobs are in each state, all queues together */
  readonly jobs: {
    /** from 0 */
    readonly queued: number;
    /** from 0 */
    readonly running: number;
    /** from 0 */
    readonly cancelling: number;
    /** from 0 */
    readonly succeeded: number;
    /** from 0 */
    readonly failed: number;
    /** from 0 */
    readonly cancelled: number;
  };
};

export type DatasetInfo = {
  readonly name: string;
  /** SHA-256 of the normalised content */
  readonly hash: string;
  /** of one row; pictures are height, width, channels */
  readonly shape: readonly number[];
  /** smallest and largest value */
  readonly range: readonly [number, number];
  /** what was done to the values: value of a row = uploaded value / divisor */
  readonly scaling: {
    /** 1 or 255 */
    readonly divisor: number;
  };
  readonly rows: {
    /** from 0 */
    readonly train: number;
    /** from 0 */
    readonly test: number;
  };
  /** there when pictures keep their own sizes; the shape has the largest height and width then */
  readonly sizes?: 'mixed';
  /** from 1 */
  readonly classes?: number;
  readonly classNames?: readonly string[];
  readonly preprocessing?: Preprocessing;
  readonly ratings?: Ratings;
  readonly documents?: Documents;
  readonly series?: Series;
  readonly pairs?: Pairs;
  /** of the rows */
  readonly format?: 'npy' | 'idx' | 'csv' | 'zip' | 'tar' | 'jsonl';
  /** CSV: of the text, such as utf-8 or windows-1252 */
  readonly encoding?: string;
  /** CSV */
  readonly delimiter?: string;
  /** CSV: whether the first line was taken for the names of columns */
  readonly header?: boolean;
  /** CSV with a header: names of the values of a row, up to 4096 of them */
  readonly columns?: readonly string[];
  /** CSV: where the classes were */
  readonly labelColumn?: string | number;
  /** labels as text: whether the first line was taken for the name of the column */
  readonly labelsHeader?: boolean;
  /** what may not have been meant: guesses, and what was left out */
  readonly warnings: readonly string[];
  readonly builtIn: boolean;
  readonly createdAt?: string;
};

export type DatasetList = {
  readonly datasets: readonly DatasetInfo[];
};

export type UploadOptions = {
  /** ratings: CSV or TSV lines of person, item and rating (1 where there is none); testFraction then holds out ratings of each person; the part "items" says what items are called. documents: a zip or tar of text files, a table with a column of text, or a text with one document a line; rows are counts of the words of a vocabulary. series: .npy, CSV or JSON Lines of numbers over time, of any length, with gaps. pairs: CSV or TSV lines of source and target, such as a word and its phonemes; default "rows" */
  readonly kind?: 'rows' | 'ratings' | 'documents' | 'series' | 'pairs';
  /** auto divides pictures of 8 bits by 255 (archives; uint8 arrays of rows [height, width] or [height, width, 1, 3 or 4]) and keeps everything else; 8-bit always divides by 255; none never does; default "auto" */
  readonly scale?: 'auto' | '8-bit' | 'none';
  /** share of the rows held out for testing, drawn by the seed; unused when test rows are uploaded; default 0.1; 0 to 0.9 */
  readonly testFraction?: number;
  /** of the split; default 0; 0 to 4294967295 */
  readonly seed?: number;
  /** documents: name or number (from 0) of the column that holds the texts; a column called text, body, message … when absent */
  readonly textColumn?: string | number;
  /** documents: which words are counted */
  readonly vocabulary?: {
    /** words that are left out: those of a list, or your own in lower case; default "english" */
    readonly stopWords?: 'english' | 'none' | readonly string[];
    /** documents to train on that must have a word; default 3; from 1 */
    readonly minDocuments?: number;
    /** share of the documents that may have a word at most; default 0.5; up to 1 */
    readonly maxShare?: number;
    /** words, those that most documents have; default 2000; 2 to 50000 */
    readonly most?: number;
  };
  /** series in CSV: name or number (from 0) of the column that says which series a line belongs to; each line is a time step then, each further column a channel. When absent a line is a whole series */
  readonly seriesColumn?: string | number;
  /** series in CSV, a time step a line: the column that orders them; as they come when absent */
  readonly timeColumn?: string | number;
  /** series: cuts long ones into windows that overlap; what is held out for testing is then the end of each series */
  readonly window?: {
    /** time steps of a window; 2 to 65536 */
    readonly steps: number;
    /** time steps from one window to the next; default: a quarter of it; from 1 */
    readonly stride?: number;
  };
  /** pairs: what sources and targets are divided into */
  readonly symbols?: {
    /** default "characters" */
    readonly source?: 'characters' | 'words';
    /** words where blanks stand in targets, when absent */
    readonly target?: 'characters' | 'words';
  };
  /** documents: keep how each text begins, which answers show of the nearest documents; false keeps its name alone; default true */
  readonly titles?: boolean;
  /** shape of one row, such as [28, 28, 1] */
  readonly shape?: readonly number[];
  /** CSV: whether the first line of each file names its columns; found out when absent */
  readonly header?: boolean;
  /** CSV: comma, semicolon, tab or |; found out when absent */
  readonly delimiter?: string;
  /** CSV: what decimals are written with; default "." */
  readonly decimal?: '.' | ',';
  /** of text without a byte order mark, and of names in archives, such as windows-1252 or utf-16le; UTF-8 when absent */
  readonly encoding?: string;
  /** CSV: name or number (from 0) of the column that holds the class */
  readonly labelColumn?: string | number;
  /** pictures: folder names are classes when there are at least two; default true */
  readonly classFolders?: boolean;
  /** pictures: one channel (true) or three (false); as the first picture when absent */
  readonly grayscale?: boolean;
  /** what is behind transparent pixels: white, black, a colour such as #ffffe0, or auto, which is white when the visible part is dark and black when it is light. Rows of four channels keep their alpha */
  readonly background?: string;
  /** pictures: without it all must have the same size */
  readonly resize?: {
    /** 1 to 65535 */
    readonly height: number;
    /** 1 to 65535 */
    readonly width: number;
  };
  /** what becomes of pictures of another size (default crop): crop takes the largest part of the middle with the row’s proportions, pad adds margins, squeeze changes the proportions */
  readonly fit?: 'crop' | 'pad' | 'squeeze';
  /** pictures: each keeps its own size; for models of type "picture", which are trained on crops; default false */
  readonly keepSizes?: boolean;
};

export type UploadForm = {
  readonly name?: string;
  /** UploadOptions as JSON */
  readonly options?: string;
  /** .npy, idx (also .gz), .csv, text, JSON Lines, or a zip or tar of pictures or texts */
  readonly rows: string;
  /** one class a row */
  readonly labels?: string;
  readonly 'test-rows'?: string;
  readonly 'test-labels'?: string;
  /** of ratings: lines of item and name */
  readonly items?: string;
};

export type Manifest = {
  readonly schema: 1;
  readonly name: string;
  /** from 1 */
  readonly version: number;
  readonly createdAt: string;
  readonly operations: readonly ('encode' | 'decode' | 'denoise' | 'reconstruct' | 'classify' | 'generate' | 'outliers' | 'recommend' | 'analyse' | 'series' | 'translate')[];
  readonly inputShape: readonly number[];
  readonly codeShape: readonly number[];
  readonly inputRange: readonly [number, number];
  readonly inputScaling?: InputScaling;
  readonly preprocessing?: Preprocessing;
  /** what the classes that classify tells apart are called, by their number */
  readonly classes?: readonly string[];
  readonly lineage: Lineage;
  readonly metrics: { readonly [name: string]: number };
  readonly text?: Text;
  readonly translates?: {
    /** from 1 */
    readonly beams: number;
    /** from 1 */
    readonly symbols: number;
  };
  readonly codec?: Codec;
  readonly picture?: Picture;
  readonly restorer?: Restorer;
  readonly files: readonly Files[];
};

export type ModelView = {
  readonly name: string;
  /** alias → version */
  readonly aliases: { readonly [name: string]: number };
  /** the newest changes of aliases, oldest first */
  readonly aliasChanges: readonly AliasChanges[];
  /** oldest first */
  readonly versions: readonly Manifest[];
  /** the tenant `default` shares it: others can read it and ask it, not change it */
  readonly isShared?: boolean;
};

export type ModelList = {
  readonly models: readonly ModelView[];
};

export type AliasTarget = {
  /** what the alias shall point to; 1 to 999999999 */
  readonly version: number;
};

export type RowsRequest = {
  /** digits (newest), digits@2 or digits:stable */
  readonly model?: string;
  /** rows of numbers, flat or nested in the shape of the model: [[784 numbers]] or [[28 rows of 28 numbers]] */
  readonly inputs: readonly unknown[];
};

export type CodesRequest = {
  /** digits (newest), digits@2 or digits:stable */
  readonly model?: string;
  /** rows of numbers, flat or nested in the shape of the model: [[784 numbers]] or [[28 rows of 28 numbers]] */
  readonly codes: readonly unknown[];
};

export type CodesAnswer = {
  readonly model: string;
  /** from 1 */
  readonly version: number;
  /** rows of numbers, flat or nested in the shape of the model: [[784 numbers]] or [[28 rows of 28 numbers]] */
  readonly codes: readonly unknown[];
  /** of each row, where ?outliers=true asked for it */
  readonly outliers?: readonly {
    /** around 0 for ordinary rows; more is reconstructed worse than rows like it are */
    readonly score: number;
    /** how often rows that the model was not trained on, but that are like those it was, are as far out; two-sided; up to 1 */
    readonly pValue: number;
  }[];
  /** there when rows are outside of the range of values that the model was trained on: what was found, and what to do */
  readonly warnings?: readonly string[];
};

export type ClassesAnswer = {
  readonly model: string;
  /** from 1 */
  readonly version: number;
  /** of each row by class, together 1 */
  readonly probabilities: readonly (readonly number[])[];
  /** number of the most probable class of each row */
  readonly labels: readonly number[];
  /** what the classes are called, by their number */
  readonly classes: readonly string[];
  /** there when rows are outside of the range of values that the model was trained on: what was found, and what to do */
  readonly warnings?: readonly string[];
};

export type OutputsAnswer = {
  readonly model: string;
  /** from 1 */
  readonly version: number;
  /** rows of numbers, flat or nested in the shape of the model: [[784 numbers]] or [[28 rows of 28 numbers]] */
  readonly outputs: readonly unknown[];
  /** there when rows are outside of the range of values that the model was trained on: what was found, and what to do */
  readonly warnings?: readonly string[];
};

export type GenerateRequest = {
  /** rows to make; default 1; 1 to 1000000 */
  readonly count?: number;
  /** the same seed, the same rows; default: a new one; 0 to 4294967295 */
  readonly seed?: number;
};

export type GeneratedAnswer = {
  readonly model: string;
  /** from 1 */
  readonly version: number;
  /** rows of numbers, flat or nested in the shape of the model: [[784 numbers]] or [[28 rows of 28 numbers]] */
  readonly outputs: readonly unknown[];
  /** asked for again, it gives the same rows */
  readonly seed: number;
};

export type RecommendRequest = {
  /** of one person; none: what suits everybody */
  readonly ratings: readonly {
    /** as the data set calls it */
    readonly item: string;
    /** on the scale of the data set; default: its highest, for what is liked */
    readonly rating?: number;
  }[];
  /** items to recommend; default 10; 0 to 1000 */
  readonly count?: number;
  /** also recommend items that the person has rated; default false */
  readonly includeSeen?: boolean;
  /** items whose scores are wanted, recommended or not */
  readonly items?: readonly string[];
};

export type Recommendations = {
  readonly model: string;
  /** from 1 */
  readonly version: number;
  /** ratings: a score is the rating that the person is expected to give; preferences: it is only an order */
  readonly scores: 'ratings' | 'preferences';
  /** the best first */
  readonly recommended: readonly {
    readonly item: string;
    /** from the data set */
    readonly name?: string;
    readonly score: number;
  }[];
  /** of "items", in their order */
  readonly asked: readonly {
    readonly item: string;
    /** from the data set */
    readonly name?: string;
    readonly score: number;
  }[];
  /** items of the request that the model does not know */
  readonly unknown: readonly string[];
};

export type AnalyseRequest = {
  readonly texts: readonly string[];
  /** documents that the model was trained on to find for each text; default 10; 0 to 100 */
  readonly nearest?: number;
  /** words of each topic (of which 20 are kept), and words expected in each text; default 10; 0 to 100 */
  readonly words?: number;
};

export type Analysis = {
  readonly model: string;
  /** from 1 */
  readonly version: number;
  /** what a code of the model is */
  readonly codes: 'topics' | 'bits';
  /** in the order of the request */
  readonly texts: readonly {
    /** words that are in the vocabulary, with repetitions; from 0 */
    readonly known: number;
    /** words that are not, stop words among them; from 0 */
    readonly unknown: number;
    /** of a model of topics: those with the largest shares, which come first */
    readonly topics?: readonly {
      /** from 0 */
      readonly topic: number;
      /** 0 to 1 */
      readonly share: number;
      /** the most probable first */
      readonly words: readonly string[];
    }[];
    /** of a model of bits: its bytes, the first bit lowest in the first byte */
    readonly code?: string;
    /** the most probable words by the code */
    readonly expected: readonly {
      readonly word: string;
      /** 0 to 1 */
      readonly probability: number;
    }[];
    /** of the documents that the model was trained on, the nearest first */
    readonly nearest: readonly {
      /** its path in the archive, its title in the table, or its number */
      readonly document: string;
      /** how its text begins, where the data set keeps that */
      readonly begins?: string;
      readonly class?: string;
      /** 1 is the same code */
      readonly similarity: number;
    }[];
  }[];
};

export type SeriesRequest = {
  /** each of any length up to that of the model */
  readonly series: readonly (readonly (number | null | readonly (number | null)[])[])[];
  /** time steps after the end that are wanted, as far as the longest series of the training goes; default 0; 0 to 65536 */
  readonly forecast?: number;
};

export type SeriesAnswer = {
  readonly model: string;
  /** from 1 */
  readonly version: number;
  /** above it a series is called anomalous */
  readonly threshold: number;
  /** in the order of the request */
  readonly series: readonly ({
    /** what the model makes of it, missing values filled; in the form of the request */
    readonly reconstruction: readonly (number | readonly number[])[];
    /** mean squared error of the reconstruction where values are, in standard deviations of the channel */
    readonly score: number;
    /** share of ordinary series that come back as badly; 0 to 1 */
    readonly pValue: number;
    /** whether the score is above the threshold */
    readonly anomalous: boolean;
    /** time steps after the end, as many as were asked for */
    readonly forecast: readonly (number | readonly number[])[];
  })[];
};

export type TranslateRequest = {
  readonly sources: readonly string[];
  /** targets of each source, at most as many as the model follows ("beams"); default 1; 1 to 16 */
  readonly best?: number;
};

export type Translations = {
  readonly model: string;
  /** from 1 */
  readonly version: number;
  /** in the order of the request */
  readonly translations: readonly {
    /** the most probable first */
    readonly targets: readonly {
      readonly target: string;
      /** of the whole target, given its source; 0 to 1 */
      readonly probability: number;
    }[];
    /** symbols that the model does not know; they are passed over */
    readonly unknown: readonly string[];
  }[];
};

export type FrameAnswer = {
  /** base64 */
  readonly frame: string;
  readonly receipt: {
    readonly model: string;
    /** from 1 */
    readonly version: number;
    /** SHA-256 of decoder and tables; the frame carries its beginning */
    readonly decoder: string;
    readonly kind: 'compact' | 'batch' | 'standard' | 'progressive';
    /** from 1 */
    readonly rows: number;
    /** 0 to 15 */
    readonly quality: number;
    /** how many the model has; 1 to 16 */
    readonly qualities: number;
    /** the rows at one byte a value, as an 8-bit picture has them */
    readonly rawBytes: number;
    /** the frame with all its framing */
    readonly wireBytes: number;
    /** rawBytes / wireBytes */
    readonly ratio: number;
    /** dB, of this quality on held-out rows */
    readonly estimatedPsnr: number;
    /** there when the model cannot reach what was asked */
    readonly shortfall?: string;
    /** with a shortfall: what does reach it, the shortest first; of a picture also WebP where it takes fewer bytes */
    readonly alternatives?: readonly Alternatives[];
    /** there when rows are outside of the range of values that the model was trained on: what was found, and what to do */
    readonly warnings?: readonly string[];
  };
};

export type PictureFrameAnswer = {
  /** base64 */
  readonly frame: string;
  readonly receipt: {
    readonly model: string;
    /** from 1 */
    readonly version: number;
    /** SHA-256 of decoder and codec; the frame carries its beginning */
    readonly decoder: string;
    readonly kind: 'picture';
    /** from 1 */
    readonly width: number;
    /** from 1 */
    readonly height: number;
    /** number of the step of quantising; 8 more are twice the step; from 0 */
    readonly step: number;
    /** the picture at one byte a value */
    readonly rawBytes: number;
    /** the frame with all its framing */
    readonly wireBytes: number;
    /** rawBytes / wireBytes */
    readonly ratio: number;
    /** bits a pixel of the frame */
    readonly bpp: number;
    /** dB of this picture before the decoder's network, which adds some tenths as a rule */
    readonly estimatedPsnr: number;
    /** there when the model cannot reach what was asked */
    readonly shortfall?: string;
    /** with a shortfall: what does reach it, the shortest first; of a picture also WebP where it takes fewer bytes */
    readonly alternatives?: readonly Alternatives[];
  };
};

export type Readiness = {
  readonly ready: boolean;
  readonly parts: {
    readonly queue: {
      readonly ready: boolean;
      readonly detail: string;
    };
    readonly storage: {
      readonly ready: boolean;
      readonly detail: string;
    };
    readonly registry: {
      readonly ready: boolean;
      readonly detail: string;
    };
    readonly models: {
      readonly ready: boolean;
      readonly detail: string;
    };
    readonly server: {
      readonly ready: boolean;
      readonly detail: string;
    };
  };
};

export type Info = {
  readonly name: 'hourglass';
  readonly api: 'v1';
  /** how callers say who they are: keys, oidc or both; off: everybody may do everything */
  readonly access: string;
  /** pages for people that are turned on: console, demo */
  readonly pages: readonly string[];
  readonly version?: string;
  readonly node?: string;
  /** from 0 */
  readonly uptimeSeconds?: number;
  readonly defaultModel?: string | null;
  /** where models and data sets are kept */
  readonly store?: 'folder' | 's3';
  readonly limits?: {
    readonly bodyBytes: number;
    readonly uploadBytes: number;
    readonly batchRows: number;
    readonly imagePixels: number;
  };
  /** who asks, where access control is on */
  readonly caller?: {
    readonly tenant: string;
    readonly scopes: readonly ('infer' | 'read' | 'train' | 'publish' | 'admin')[];
  };
};

export type KeyView = {
  /** names the key; no secret */
  readonly id: string;
  /** for people */
  readonly name: string;
  /** whose models, data sets and jobs it opens */
  readonly tenant: string;
  /** what it may do */
  readonly scopes: readonly ('infer' | 'read' | 'train' | 'publish' | 'admin')[];
  readonly createdAt: string;
  readonly expiresAt?: string;
  /** to within a minute */
  readonly lastUsedAt?: string;
  readonly isExpired: boolean;
};

export type KeyRequest = {
  /** for people */
  readonly name: string;
  /** what it may do */
  readonly scopes: readonly ('infer' | 'read' | 'train' | 'publish' | 'admin')[];
  /** default: the caller's; another only from tenant default */
  readonly tenant?: string;
  /** default: it does not expire; 1 to 316224000 */
  readonly expiresInSeconds?: number;
};

export type KeyList = {
  /** newest first */
  readonly keys: readonly KeyView[];
};

export type NewKey = {
  /** names the key; no secret */
  readonly id: string;
  /** for people */
  readonly name: string;
  /** whose models, data sets and jobs it opens */
  readonly tenant: string;
  /** what it may do */
  readonly scopes: readonly ('infer' | 'read' | 'train' | 'publish' | 'admin')[];
  readonly createdAt: string;
  readonly expiresAt?: string;
  /** to within a minute */
  readonly lastUsedAt?: string;
  readonly isExpired: boolean;
  /** the key itself; it is not shown again */
  readonly key: string;
};

export type Progress = {
  readonly phase: string;
  /** from 0 */
  readonly epoch: number;
  /** from 0 */
  readonly epochs: number;
  /** from 0 */
  readonly step: number;
  /** from 0 */
  readonly steps: number;
  /** 0 to 100 */
  readonly percent: number;
  readonly loss?: number;
  readonly samplesPerSecond?: number;
  readonly etaSeconds?: number;
};

export type ScheduleCosine = {
  readonly type: 'cosine';
  /** default 0; 0 to 100000 */
  readonly warmupEpochs: number;
  /** factor at the end; default 0; 0 to 1 */
  readonly final: number;
};

export type ScheduleLinear = {
  readonly type: 'linear';
  /** default 0; 0 to 100000 */
  readonly warmupEpochs: number;
  /** factor at the end; default 0; 0 to 1 */
  readonly final: number;
};

export type ScheduleStep = {
  readonly type: 'step';
  /** default 10; 1 to 100000 */
  readonly everyEpochs: number;
  /** default 0.5; up to 1 */
  readonly factor: number;
};

/** default {"type":"constant"} */
export type Schedule = {
  readonly type: 'constant';
} | ScheduleCosine | ScheduleLinear | ScheduleStep;

export type OptimizerAdam = {
  readonly type: 'adam';
  /** default 0.001; up to 100 */
  readonly learningRate: number;
  /** default 0.9; from 0 */
  readonly beta1: number;
  /** default 0.999; from 0 */
  readonly beta2: number;
  /** default 1e-7; up to 1 */
  readonly epsilon: number;
  /** decoupled: each step takes learningRate · weightDecay · w off every weight matrix; default 0; 0 to 1 */
  readonly weightDecay: number;
  readonly schedule: Schedule;
};

export type OptimizerSgd = {
  readonly type: 'sgd';
  /** default 0.1; up to 100 */
  readonly learningRate: number;
  /** default 0; from 0 */
  readonly momentum: number;
  /** during the first epochs; from 0 */
  readonly initialMomentum?: number;
  /** default 5; 0 to 100000 */
  readonly initialMomentumEpochs: number;
  /** decoupled: each step takes learningRate · weightDecay · w off every weight matrix; default 0; 0 to 1 */
  readonly weightDecay: number;
  readonly schedule: Schedule;
};

/** default {"type":"adam"} */
export type Optimizer = OptimizerAdam | OptimizerSgd;

/** default {} */
export type Validation = {
  /** share of the training rows, taken from their end, that is held out and never trained on; default 0.05; 0 to 0.5 */
  readonly fraction: number;
};

export type EarlyStopping = {
  /** stop after so many epochs without a lower held-out loss; the best weights are kept; default 5; 1 to 100000 */
  readonly patience: number;
  /** what counts as lower; default 0; 0 to 1000000 */
  readonly minDelta: number;
};

/** what is measured on the test rows beside the loss; default {} */
export type Evaluation = {
  /** test error of a softmax layer trained on the codes of the training rows; default false */
  readonly linearProbe: boolean;
  /** test error of the vote of so many nearest codes; 0 leaves it out; default 0; 0 to 100 */
  readonly neighbours: number;
  /** publishes the codes of training and test rows for other tools, labels beside them; default "none" */
  readonly codes: 'none' | 'npy' | 'csv';
  /** variational models: test −ln p(x) in nats, estimated with so many samples a row; 0 leaves it out; default 0; 0 to 5000 */
  readonly importanceSamples: number;
};

/** default {} */
export type Training = {
  /** what it is trained on; each has a queue of its own, and a worker takes from those that it can serve; default "any" */
  readonly device: 'cpu' | 'gpu' | 'any';
  /** default 5; 1 to 100000 */
  readonly epochs: number;
  /** train on the first n rows only; from 1 */
  readonly maxSamples?: number;
  /** default 128; 1 to 65536 */
  readonly batchSize: number;
  readonly optimizer: Optimizer;
  readonly validation: Validation;
  readonly earlyStopping?: EarlyStopping;
  readonly evaluation: Evaluation;
  /** default 1; 0 to 4294967295 */
  readonly seed: number;
};

export type CorruptionGaussian = {
  readonly type: 'gaussian';
  /** default 0.5; up to 10 */
  readonly sigma: number;
};

export type CorruptionMasking = {
  readonly type: 'masking';
  /** default 0.5 */
  readonly probability: number;
};

export type CorruptionSaltAndPepper = {
  readonly type: 'salt-and-pepper';
  /** default 0.2 */
  readonly probability: number;
};

export type CorruptionHole = {
  readonly type: 'hole';
  /** side of a square at a random place; default 10; 1 to 4096 */
  readonly size: number;
};

export type Corruption = CorruptionGaussian | CorruptionMasking | CorruptionSaltAndPepper | CorruptionHole;

/** quantises the code in training and makes its bits part of the loss; give one of both */
export type Compression = {
  /** λ: the squared error, summed over a row, that one bit of its code is worth; larger is coarser; up to 1000000 */
  readonly lambda?: number;
  /** in place of lambda: bytes of a row, without framing, that training comes to by moving λ; up to 1000000 */
  readonly bytes?: number;
};

/** noise on the rows that it is trained with, drawn anew at each step; rows to classify get none */
export type HeadCorruption = CorruptionGaussian | CorruptionMasking | CorruptionSaltAndPepper | CorruptionHole;

/** a classifier on a copy of the trained encoder, fine-tuned with the labels of the data set */
export type Head = {
  /** default [] */
  readonly hidden: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** default "cross-entropy" */
  readonly loss: 'cross-entropy' | 'sse';
  /** share of the code that each training step leaves out (Srivastava et al. 2014); default 0; from 0 */
  readonly dropout: number;
  readonly corruption?: HeadCorruption;
  /** true: train the head alone, on fixed codes; default false */
  readonly freezeEncoder: boolean;
  /** default 5; 1 to 100000 */
  readonly epochs: number;
  readonly optimizer: Optimizer;
};

export type ModelSpecLinear = {
  readonly type: 'linear';
  /** number of code units; default 32; 1 to 65536 */
  readonly code: number;
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: Corruption;
  readonly compression?: Compression;
  readonly head?: Head;
};

export type Sparsity = {
  /** ρ, the mean activation to reach; default 0.05 */
  readonly target: number;
  /** λ on Σ KL(ρ ‖ ρ̂ⱼ), beside the loss; default 0.005; up to 1000000 */
  readonly weight: number;
  /** share of the running mean in ρ̂; 0 takes the mean over the batch alone; default 0; from 0 */
  readonly memory: number;
};

export type Contraction = {
  /** λ on ‖∂z/∂x‖²_F, beside the loss; default 0.0002; up to 1000000 */
  readonly weight: number;
  /** closed-form: one layer; exact: any number of layers, the whole Jacobian; estimate: one random projection per step; default "closed-form" */
  readonly method: 'closed-form' | 'exact' | 'estimate';
};

export type ModelSpecDense = {
  readonly type: 'dense';
  /** number of code units; default 32; 1 to 65536 */
  readonly code: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [128] */
  readonly hidden: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "linear" */
  readonly codeActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default false */
  readonly tied: boolean;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: Corruption;
  readonly sparsity?: Sparsity;
  readonly contraction?: Contraction;
  readonly compression?: Compression;
  readonly head?: Head;
};

export type ModelSpecTied = {
  readonly type: 'tied';
  /** number of code units; default 32; 1 to 65536 */
  readonly code: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [] */
  readonly hidden: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "sigmoid" */
  readonly codeActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** default true */
  readonly tied: true;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: Corruption;
  readonly sparsity?: Sparsity;
  readonly contraction?: Contraction;
  readonly compression?: Compression;
  readonly head?: Head;
};

/** default {} */
export type Pretraining = {
  /** of each level; default 2; 1 to 100000 */
  readonly epochs: number;
  readonly optimizer: Optimizer;
};

export type ModelSpecDeep = {
  readonly type: 'deep';
  /** number of code units; default 30; 1 to 65536 */
  readonly code: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [1000,500,250] */
  readonly hidden: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "linear" */
  readonly codeActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default false */
  readonly tied: boolean;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: Corruption;
  readonly sparsity?: Sparsity;
  readonly contraction?: Contraction;
  readonly compression?: Compression;
  readonly head?: Head;
  readonly pretraining: Pretraining;
};

/** default {} */
export type ModelSpecSparseSparsity = {
  /** ρ, the mean activation to reach; default 0.05 */
  readonly target: number;
  /** λ on Σ KL(ρ ‖ ρ̂ⱼ), beside the loss; default 0.005; up to 1000000 */
  readonly weight: number;
  /** share of the running mean in ρ̂; 0 takes the mean over the batch alone; default 0; from 0 */
  readonly memory: number;
};

export type ModelSpecSparse = {
  readonly type: 'sparse';
  /** number of code units; default 256; 1 to 65536 */
  readonly code: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [] */
  readonly hidden: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "sigmoid" */
  readonly codeActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default false */
  readonly tied: boolean;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: Corruption;
  readonly sparsity: ModelSpecSparseSparsity;
  readonly contraction?: Contraction;
  readonly compression?: Compression;
  readonly head?: Head;
};

export type ModelSpecKSparse = {
  readonly type: 'k-sparse';
  /** number of code units; default 1000; 1 to 65536 */
  readonly code: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [] */
  readonly hidden: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "linear" */
  readonly codeActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default true */
  readonly tied: boolean;
  /** k: only the k largest code units stay, the rest are 0; default 25; 1 to 65536 */
  readonly active: number;
  /** unit non-linearity φ */
  readonly outputActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: Corruption;
  readonly sparsity?: Sparsity;
  readonly contraction?: Contraction;
  readonly compression?: Compression;
  readonly head?: Head;
  /** α: a code keeps the α · k largest units, of which decoding uses the k largest; more than 1 gives classifiers more to go by; default 1; 1 to 1000 */
  readonly alpha: number;
  /** the first half of the epochs comes down to k in so many steps from k · 2^halvings, so that no unit dies; default 3; 0 to 8 */
  readonly halvings: number;
};

/** default {"type":"gaussian"} */
export type ModelSpecDenoisingCorruption = CorruptionGaussian | CorruptionMasking | CorruptionSaltAndPepper | CorruptionHole;

export type ModelSpecDenoising = {
  readonly type: 'denoising';
  /** number of code units; default 32; 1 to 65536 */
  readonly code: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [128] */
  readonly hidden: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "linear" */
  readonly codeActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default false */
  readonly tied: boolean;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption: ModelSpecDenoisingCorruption;
  readonly sparsity?: Sparsity;
  readonly contraction?: Contraction;
  readonly compression?: Compression;
  readonly head?: Head;
};

/** default {"type":"masking","probability":0.25} */
export type ModelSpecStackedDenoisingCorruption = CorruptionGaussian | CorruptionMasking | CorruptionSaltAndPepper | CorruptionHole;

export type ModelSpecStackedDenoising = {
  readonly type: 'stacked-denoising';
  /** number of code units; default 250; 1 to 65536 */
  readonly code: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [500,500] */
  readonly hidden: readonly number[];
  /** unit non-linearity φ; default "sigmoid" */
  readonly activation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "sigmoid" */
  readonly codeActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default false */
  readonly tied: boolean;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption: ModelSpecStackedDenoisingCorruption;
  readonly sparsity?: Sparsity;
  readonly contraction?: Contraction;
  readonly compression?: Compression;
  readonly head?: Head;
  readonly pretraining: Pretraining;
};

/** default {} */
export type ModelSpecContractiveContraction = {
  /** λ on ‖∂z/∂x‖²_F, beside the loss; default 0.0002; up to 1000000 */
  readonly weight: number;
  /** closed-form: one layer; exact: any number of layers, the whole Jacobian; estimate: one random projection per step; default "closed-form" */
  readonly method: 'closed-form' | 'exact' | 'estimate';
};

export type ModelSpecContractive = {
  readonly type: 'contractive';
  /** number of code units; default 256; 1 to 65536 */
  readonly code: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [] */
  readonly hidden: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "sigmoid" */
  readonly codeActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default true */
  readonly tied: boolean;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: Corruption;
  readonly sparsity?: Sparsity;
  readonly contraction: ModelSpecContractiveContraction;
  readonly compression?: Compression;
  readonly head?: Head;
};

export type ModelSpecConvolutionalPretraining = {
  /** of each level; default 2; 1 to 100000 */
  readonly epochs: number;
  readonly optimizer: Optimizer;
};

export type ModelSpecConvolutional = {
  readonly type: 'convolutional';
  /** feature maps of each level; each level halves height and width; default [16,32] */
  readonly channels: readonly number[];
  /** side of the square filters; default 3; 1 to 15 */
  readonly kernel: number;
  /** unit non-linearity φ; default "relu" */
  readonly activation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** default false */
  readonly batchNorm: boolean;
  /** how a level halves: the largest of 2 × 2, or a convolution of stride 2; default "max" */
  readonly pooling: 'max' | 'stride';
  /** how a level doubles: the value spread evenly over 2 × 2, put at one random place, put where the largest was, or a transposed convolution; default "even" */
  readonly unpooling: 'even' | 'random' | 'switches' | 'transposed';
  /** units of a dense code, or "map": the last feature maps are the code; default 128 */
  readonly code: number | 'map';
  /** unit non-linearity φ; default "linear" */
  readonly codeActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ */
  readonly outputActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: Corruption;
  readonly sparsity?: Sparsity;
  readonly compression?: Compression;
  readonly head?: Head;
  readonly pretraining?: ModelSpecConvolutionalPretraining;
};

export type ModelSpecVariational = {
  readonly type: 'variational';
  /** number of code units; default 32; 1 to 65536 */
  readonly code: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [256,256] */
  readonly hidden: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** p(x ∣ z); gaussian has variance 1 */
  readonly likelihood: 'bernoulli' | 'gaussian';
  /** true: each step draws pixels of 0 and 1 with the grey values as probabilities; default false */
  readonly binarize: boolean;
  /** k: 1 is the evidence lower bound, more is the importance-weighted bound; default 1; 1 to 500 */
  readonly samples: number;
  /** weight of KL(q(z ∣ x) ‖ p(z)); only with k = 1; default 1; 0 to 1000 */
  readonly beta: number;
  readonly head?: Head;
};

/** default {} */
export type Contrastive = {
  /** k of CD-k: Gibbs steps; default 1; 1 to 100 */
  readonly steps: number;
  /** false: reconstructions are means; hidden units are always sampled; default false */
  readonly sampleVisible: boolean;
  /** L2 cost on the weights; default 0.0002; 0 to 1 */
  readonly weightCost: number;
};

export type ModelSpecRbm = {
  readonly type: 'rbm';
  /** number of code units; default 256; 1 to 65536 */
  readonly code: number;
  /** gaussian: real values with variance 1 */
  readonly visibleUnits: 'binary' | 'gaussian';
  /** default "binary" */
  readonly codeUnits: 'binary' | 'gaussian' | 'rectified';
  readonly contrastive: Contrastive;
  readonly head?: Head;
};

/** default {} */
export type ModelSpecDeepBeliefPretraining = {
  /** k of CD-k: Gibbs steps; default 1; 1 to 100 */
  readonly steps: number;
  /** false: reconstructions are means; hidden units are always sampled; default false */
  readonly sampleVisible: boolean;
  /** L2 cost on the weights; default 0.0002; 0 to 1 */
  readonly weightCost: number;
  /** of each level; default 5; 1 to 100000 */
  readonly epochs: number;
  /** default 0.1; up to 10 */
  readonly learningRate: number;
  /** of levels with real-valued units, which have no bound; default 0.001; up to 10 */
  readonly gaussianLearningRate: number;
};

export type ModelSpecDeepBelief = {
  readonly type: 'deep-belief';
  /** number of code units; default 30; 1 to 65536 */
  readonly code: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [1000,500,250] */
  readonly hidden: readonly number[];
  /** gaussian: real values with variance 1 */
  readonly visibleUnits: 'binary' | 'gaussian';
  /** default "binary" */
  readonly hiddenUnits: 'binary' | 'rectified';
  /** default "gaussian" */
  readonly codeUnits: 'binary' | 'gaussian' | 'rectified';
  /** unit non-linearity φ */
  readonly outputActivation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly pretraining: ModelSpecDeepBeliefPretraining;
  readonly head?: Head;
};

/** a codec for pictures of any size: devices encode with a linear transform, the server decodes with a network */
export type ModelSpecPicture = {
  readonly type: 'picture';
  /** feature maps of the decoder's network; its cost grows with their square; default 96; 8 to 512 */
  readonly maps: number;
  /** 3 × 3 convolutions of the decoder's network; default 2; 1 to 8 */
  readonly layers: number;
  /** blocks of 8 × 8 pixels of the side of a training crop; default 16; 2 to 64 */
  readonly crop: number;
  /** random crops in an epoch; default 2048; 1 to 1000000 */
  readonly crops: number;
};

/** default {"type":"gaussian","sigma":0.09803921568627451} */
export type ModelSpecRestorationCorruption = CorruptionGaussian | CorruptionMasking | CorruptionSaltAndPepper | CorruptionHole;

/** takes noise away from pictures of any size, or fills holes in them */
export type ModelSpecRestoration = {
  readonly type: 'restoration';
  readonly corruption: ModelSpecRestorationCorruption;
  /** the network sees squares of so many pixels a side as one place: more is faster and sees farther, less is finer; default 2 */
  readonly stride: 1 | 2 | 4 | 8;
  /** feature maps; the cost grows with their square; default 48; 8 to 512 */
  readonly maps: number;
  /** residual blocks of two 3 × 3 convolutions each; default 5; 1 to 32 */
  readonly blocks: number;
  /** pixels of the side of a training crop, a multiple of the stride; default 64; 16 to 512 */
  readonly crop: number;
  /** random crops in an epoch; default 4096; 1 to 1000000 */
  readonly crops: number;
};

export type ModelSpecEase = {
  readonly type: 'ease';
  /** λ on the diagonal of XᵀX; more of it recommends what is popular; default 200; up to 1000000000 */
  readonly regularisation: number;
  /** ratings from here on count as liked, others as not seen; 0 counts all; default 0; from 0 */
  readonly positive: number;
};

export type ModelSpecAutorec = {
  readonly type: 'autorec';
  /** item: a row is what all people gave one item, the more exact of the two; user: a row is what one person gave all items; default "item" */
  readonly by: 'item' | 'user';
  /** number of code units; default 500; 1 to 8192 */
  readonly code: number;
  /** unit non-linearity φ; default "sigmoid" */
  readonly activation: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** share of the ratings of a row left out in each step; default 0.3; from 0 */
  readonly inputDropout: number;
  /** share of the code units left out in each step; default 0.5; from 0 */
  readonly dropout: number;
  /** weight of the squared weights in the loss, for one row; default 0.01; 0 to 1000000 */
  readonly penalty: number;
  /** by item: variance of ratings around what a person thinks; more of it draws people with few ratings closer to all others; default 0.5; up to 1000000 */
  readonly noise: number;
};

export type ModelSpecMultVae = {
  readonly type: 'mult-vae';
  /** number of code units; default 200; 1 to 8192 */
  readonly code: number;
  /** default [600] */
  readonly hidden: readonly number[];
  /** share of the items of a person left out in each step; default 0.5; from 0 */
  readonly dropout: number;
  /** weight of KL(q(z ∣ x) ‖ p(z)); default 0.2; 0 to 1000 */
  readonly beta: number;
  /** ratings from here on count as liked, others as not seen; 0 counts all; default 0; from 0 */
  readonly positive: number;
};

export type ModelSpecTopics = {
  readonly type: 'topics';
  /** number of topics; default 50; 2 to 1000 */
  readonly code: number;
  /** softplus units of the encoder; the decoder is one layer from topics to words; default [100,100] */
  readonly hidden: readonly number[];
  /** α of the Dirichlet prior that the mixtures of documents come from; less of it gives fewer topics each; default 1; up to 1000 */
  readonly concentration: number;
  /** share of the hidden units, and of the topics of a mixture, left out in each step; default 0.2; from 0 */
  readonly dropout: number;
};

export type ModelSpecSemanticHashing = {
  readonly type: 'semantic-hashing';
  /** bits of a code, a multiple of 8; default 64; 32 to 128 */
  readonly code: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [500] */
  readonly hidden: readonly number[];
  /** deviation of the noise on the input of a code unit, against which only values near 0 and 1 stand; 4 in the paper; default 1; 0 to 100 */
  readonly noise: number;
  /** share of the words of a document left out in each step; default 0.2; from 0 */
  readonly dropout: number;
};

export type ModelSpecSequence = {
  readonly type: 'sequence';
  /** numbers of a code; default 16; 1 to 4096 */
  readonly code: number;
  /** gated recurrent units of the encoder, and of the decoder; default 64; 1 to 2048 */
  readonly units: number;
  /** time steps that the units take at once; default: so many that the longest series has 32 patches; 1 to 4096 */
  readonly patch: number;
  /** share of the series of a step whose end the encoder does not see, so that the decoder learns to go on; 0: the model reconstructs only; default 0.5; 0 to 1 */
  readonly hiddenEnds: number;
  /** classes to train on; the others are anomalies, which the model is tested on */
  readonly normal?: readonly string[];
  /** share of ordinary series that may be called anomalous: where the threshold is set; default 0.05; up to 0.5 */
  readonly falseAlarms: number;
};

export type ModelSpecSequenceToSequence = {
  readonly type: 'sequence-to-sequence';
  /** gated recurrent units of the decoder, and of the encoder in each direction; default 256; 4 to 2048 */
  readonly units: number;
  /** share of what attention and decoder give to the output that is left out in each step; default 0.2; from 0 */
  readonly dropout: number;
  /** share of the probability that the loss wants spread over all symbols (label smoothing); default 0.05; from 0 */
  readonly smoothing: number;
  /** targets that are followed at once when a source is translated, and answered at most; default 5; 1 to 16 */
  readonly beams: number;
};

export type CorruptionMaskingRequest = {
  readonly type: 'masking';
  /** default 0.5 */
  readonly probability?: number;
};

export type CorruptionSaltAndPepperRequest = {
  readonly type: 'salt-and-pepper';
  /** default 0.2 */
  readonly probability?: number;
};

export type CorruptionHoleRequest = {
  readonly type: 'hole';
  /** side of a square at a random place; default 10; 1 to 4096 */
  readonly size?: number;
};

export type CorruptionRequest = {
  readonly type: 'gaussian';
  /** default 0.5; up to 10 */
  readonly sigma?: number;
} | CorruptionMaskingRequest | CorruptionSaltAndPepperRequest | CorruptionHoleRequest;

/** quantises the code in training and makes its bits part of the loss; give one of both */
export type CompressionRequest = {
  /** λ: the squared error, summed over a row, that one bit of its code is worth; larger is coarser; up to 1000000 */
  readonly lambda?: number;
  /** in place of lambda: bytes of a row, without framing, that training comes to by moving λ; up to 1000000 */
  readonly bytes?: number;
};

/** noise on the rows that it is trained with, drawn anew at each step; rows to classify get none */
export type HeadRequestCorruption = {
  readonly type: 'gaussian';
  /** default 0.5; up to 10 */
  readonly sigma?: number;
} | CorruptionMaskingRequest | CorruptionSaltAndPepperRequest | CorruptionHoleRequest;

export type ScheduleCosineRequest = {
  readonly type: 'cosine';
  /** default 0; 0 to 100000 */
  readonly warmupEpochs?: number;
  /** factor at the end; default 0; 0 to 1 */
  readonly final?: number;
};

export type ScheduleLinearRequest = {
  readonly type: 'linear';
  /** default 0; 0 to 100000 */
  readonly warmupEpochs?: number;
  /** factor at the end; default 0; 0 to 1 */
  readonly final?: number;
};

export type ScheduleStepRequest = {
  readonly type: 'step';
  /** default 10; 1 to 100000 */
  readonly everyEpochs?: number;
  /** default 0.5; up to 1 */
  readonly factor?: number;
};

/** default {"type":"constant"} */
export type ScheduleRequest = {
  readonly type: 'constant';
} | ScheduleCosineRequest | ScheduleLinearRequest | ScheduleStepRequest;

export type OptimizerAdamRequest = {
  readonly type: 'adam';
  /** default 0.001; up to 100 */
  readonly learningRate?: number;
  /** default 0.9; from 0 */
  readonly beta1?: number;
  /** default 0.999; from 0 */
  readonly beta2?: number;
  /** default 1e-7; up to 1 */
  readonly epsilon?: number;
  /** decoupled: each step takes learningRate · weightDecay · w off every weight matrix; default 0; 0 to 1 */
  readonly weightDecay?: number;
  readonly schedule?: ScheduleRequest;
};

export type OptimizerSgdRequest = {
  readonly type: 'sgd';
  /** default 0.1; up to 100 */
  readonly learningRate?: number;
  /** default 0; from 0 */
  readonly momentum?: number;
  /** during the first epochs; from 0 */
  readonly initialMomentum?: number;
  /** default 5; 0 to 100000 */
  readonly initialMomentumEpochs?: number;
  /** decoupled: each step takes learningRate · weightDecay · w off every weight matrix; default 0; 0 to 1 */
  readonly weightDecay?: number;
  readonly schedule?: ScheduleRequest;
};

/** default {"type":"adam"} */
export type OptimizerRequest = OptimizerAdamRequest | OptimizerSgdRequest;

/** a classifier on a copy of the trained encoder, fine-tuned with the labels of the data set */
export type HeadRequest = {
  /** default [] */
  readonly hidden?: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** default "cross-entropy" */
  readonly loss?: 'cross-entropy' | 'sse';
  /** share of the code that each training step leaves out (Srivastava et al. 2014); default 0; from 0 */
  readonly dropout?: number;
  readonly corruption?: HeadRequestCorruption;
  /** true: train the head alone, on fixed codes; default false */
  readonly freezeEncoder?: boolean;
  /** default 5; 1 to 100000 */
  readonly epochs?: number;
  readonly optimizer?: OptimizerRequest;
};

export type ModelLinearRequest = {
  readonly type: 'linear';
  /** number of code units; default 32; 1 to 65536 */
  readonly code?: number;
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss?: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: CorruptionRequest;
  readonly compression?: CompressionRequest;
  readonly head?: HeadRequest;
};

export type SparsityRequest = {
  /** ρ, the mean activation to reach; default 0.05 */
  readonly target?: number;
  /** λ on Σ KL(ρ ‖ ρ̂ⱼ), beside the loss; default 0.005; up to 1000000 */
  readonly weight?: number;
  /** share of the running mean in ρ̂; 0 takes the mean over the batch alone; default 0; from 0 */
  readonly memory?: number;
};

export type ContractionRequest = {
  /** λ on ‖∂z/∂x‖²_F, beside the loss; default 0.0002; up to 1000000 */
  readonly weight?: number;
  /** closed-form: one layer; exact: any number of layers, the whole Jacobian; estimate: one random projection per step; default "closed-form" */
  readonly method?: 'closed-form' | 'exact' | 'estimate';
};

export type ModelDenseRequest = {
  readonly type: 'dense';
  /** number of code units; default 32; 1 to 65536 */
  readonly code?: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [128] */
  readonly hidden?: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "linear" */
  readonly codeActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default false */
  readonly tied?: boolean;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss?: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: CorruptionRequest;
  readonly sparsity?: SparsityRequest;
  readonly contraction?: ContractionRequest;
  readonly compression?: CompressionRequest;
  readonly head?: HeadRequest;
};

export type ModelTiedRequest = {
  readonly type: 'tied';
  /** number of code units; default 32; 1 to 65536 */
  readonly code?: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [] */
  readonly hidden?: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "sigmoid" */
  readonly codeActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** default true */
  readonly tied?: true;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss?: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: CorruptionRequest;
  readonly sparsity?: SparsityRequest;
  readonly contraction?: ContractionRequest;
  readonly compression?: CompressionRequest;
  readonly head?: HeadRequest;
};

/** default {} */
export type PretrainingRequest = {
  /** of each level; default 2; 1 to 100000 */
  readonly epochs?: number;
  readonly optimizer?: OptimizerRequest;
};

export type ModelDeepRequest = {
  readonly type: 'deep';
  /** number of code units; default 30; 1 to 65536 */
  readonly code?: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [1000,500,250] */
  readonly hidden?: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "linear" */
  readonly codeActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default false */
  readonly tied?: boolean;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss?: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: CorruptionRequest;
  readonly sparsity?: SparsityRequest;
  readonly contraction?: ContractionRequest;
  readonly compression?: CompressionRequest;
  readonly head?: HeadRequest;
  readonly pretraining?: PretrainingRequest;
};

/** default {} */
export type ModelSparseRequestSparsity = {
  /** ρ, the mean activation to reach; default 0.05 */
  readonly target?: number;
  /** λ on Σ KL(ρ ‖ ρ̂ⱼ), beside the loss; default 0.005; up to 1000000 */
  readonly weight?: number;
  /** share of the running mean in ρ̂; 0 takes the mean over the batch alone; default 0; from 0 */
  readonly memory?: number;
};

export type ModelSparseRequest = {
  readonly type: 'sparse';
  /** number of code units; default 256; 1 to 65536 */
  readonly code?: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [] */
  readonly hidden?: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "sigmoid" */
  readonly codeActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default false */
  readonly tied?: boolean;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss?: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: CorruptionRequest;
  readonly sparsity?: ModelSparseRequestSparsity;
  readonly contraction?: ContractionRequest;
  readonly compression?: CompressionRequest;
  readonly head?: HeadRequest;
};

export type ModelKSparseRequest = {
  readonly type: 'k-sparse';
  /** number of code units; default 1000; 1 to 65536 */
  readonly code?: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [] */
  readonly hidden?: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "linear" */
  readonly codeActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default true */
  readonly tied?: boolean;
  /** k: only the k largest code units stay, the rest are 0; default 25; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss?: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: CorruptionRequest;
  readonly sparsity?: SparsityRequest;
  readonly contraction?: ContractionRequest;
  readonly compression?: CompressionRequest;
  readonly head?: HeadRequest;
  /** α: a code keeps the α · k largest units, of which decoding uses the k largest; more than 1 gives classifiers more to go by; default 1; 1 to 1000 */
  readonly alpha?: number;
  /** the first half of the epochs comes down to k in so many steps from k · 2^halvings, so that no unit dies; default 3; 0 to 8 */
  readonly halvings?: number;
};

/** default {"type":"gaussian"} */
export type ModelDenoisingRequestCorruption = {
  readonly type: 'gaussian';
  /** default 0.5; up to 10 */
  readonly sigma?: number;
} | CorruptionMaskingRequest | CorruptionSaltAndPepperRequest | CorruptionHoleRequest;

export type ModelDenoisingRequest = {
  readonly type: 'denoising';
  /** number of code units; default 32; 1 to 65536 */
  readonly code?: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [128] */
  readonly hidden?: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "linear" */
  readonly codeActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default false */
  readonly tied?: boolean;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss?: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: ModelDenoisingRequestCorruption;
  readonly sparsity?: SparsityRequest;
  readonly contraction?: ContractionRequest;
  readonly compression?: CompressionRequest;
  readonly head?: HeadRequest;
};

/** default {"type":"masking","probability":0.25} */
export type ModelStackedDenoisingRequestCorruption = {
  readonly type: 'gaussian';
  /** default 0.5; up to 10 */
  readonly sigma?: number;
} | CorruptionMaskingRequest | CorruptionSaltAndPepperRequest | CorruptionHoleRequest;

export type ModelStackedDenoisingRequest = {
  readonly type: 'stacked-denoising';
  /** number of code units; default 250; 1 to 65536 */
  readonly code?: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [500,500] */
  readonly hidden?: readonly number[];
  /** unit non-linearity φ; default "sigmoid" */
  readonly activation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "sigmoid" */
  readonly codeActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default false */
  readonly tied?: boolean;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss?: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: ModelStackedDenoisingRequestCorruption;
  readonly sparsity?: SparsityRequest;
  readonly contraction?: ContractionRequest;
  readonly compression?: CompressionRequest;
  readonly head?: HeadRequest;
  readonly pretraining?: PretrainingRequest;
};

/** default {} */
export type ModelContractiveRequestContraction = {
  /** λ on ‖∂z/∂x‖²_F, beside the loss; default 0.0002; up to 1000000 */
  readonly weight?: number;
  /** closed-form: one layer; exact: any number of layers, the whole Jacobian; estimate: one random projection per step; default "closed-form" */
  readonly method?: 'closed-form' | 'exact' | 'estimate';
};

export type ModelContractiveRequest = {
  readonly type: 'contractive';
  /** number of code units; default 256; 1 to 65536 */
  readonly code?: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [] */
  readonly hidden?: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ; default "sigmoid" */
  readonly codeActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** decoder weights are the encoder's, transposed; default true */
  readonly tied?: boolean;
  /** k: only the k largest code units stay, the rest are 0; 1 to 65536 */
  readonly active?: number;
  /** unit non-linearity φ */
  readonly outputActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss?: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: CorruptionRequest;
  readonly sparsity?: SparsityRequest;
  readonly contraction?: ModelContractiveRequestContraction;
  readonly compression?: CompressionRequest;
  readonly head?: HeadRequest;
};

export type ModelConvolutionalRequestPretraining = {
  /** of each level; default 2; 1 to 100000 */
  readonly epochs?: number;
  readonly optimizer?: OptimizerRequest;
};

export type ModelConvolutionalRequest = {
  readonly type: 'convolutional';
  /** feature maps of each level; each level halves height and width; default [16,32] */
  readonly channels?: readonly number[];
  /** side of the square filters; default 3; 1 to 15 */
  readonly kernel?: number;
  /** unit non-linearity φ; default "relu" */
  readonly activation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** default false */
  readonly batchNorm?: boolean;
  /** how a level halves: the largest of 2 × 2, or a convolution of stride 2; default "max" */
  readonly pooling?: 'max' | 'stride';
  /** how a level doubles: the value spread evenly over 2 × 2, put at one random place, put where the largest was, or a transposed convolution; default "even" */
  readonly unpooling?: 'even' | 'random' | 'switches' | 'transposed';
  /** units of a dense code, or "map": the last feature maps are the code; default 128 */
  readonly code?: number | 'map';
  /** unit non-linearity φ; default "linear" */
  readonly codeActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** unit non-linearity φ */
  readonly outputActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss?: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly corruption?: CorruptionRequest;
  readonly sparsity?: SparsityRequest;
  readonly compression?: CompressionRequest;
  readonly head?: HeadRequest;
  readonly pretraining?: ModelConvolutionalRequestPretraining;
};

export type ModelVariationalRequest = {
  readonly type: 'variational';
  /** number of code units; default 32; 1 to 65536 */
  readonly code?: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [256,256] */
  readonly hidden?: readonly number[];
  /** unit non-linearity φ; default "relu" */
  readonly activation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** p(x ∣ z); gaussian has variance 1 */
  readonly likelihood?: 'bernoulli' | 'gaussian';
  /** true: each step draws pixels of 0 and 1 with the grey values as probabilities; default false */
  readonly binarize?: boolean;
  /** k: 1 is the evidence lower bound, more is the importance-weighted bound; default 1; 1 to 500 */
  readonly samples?: number;
  /** weight of KL(q(z ∣ x) ‖ p(z)); only with k = 1; default 1; 0 to 1000 */
  readonly beta?: number;
  readonly head?: HeadRequest;
};

/** default {} */
export type ContrastiveRequest = {
  /** k of CD-k: Gibbs steps; default 1; 1 to 100 */
  readonly steps?: number;
  /** false: reconstructions are means; hidden units are always sampled; default false */
  readonly sampleVisible?: boolean;
  /** L2 cost on the weights; default 0.0002; 0 to 1 */
  readonly weightCost?: number;
};

export type ModelRbmRequest = {
  readonly type: 'rbm';
  /** number of code units; default 256; 1 to 65536 */
  readonly code?: number;
  /** gaussian: real values with variance 1 */
  readonly visibleUnits?: 'binary' | 'gaussian';
  /** default "binary" */
  readonly codeUnits?: 'binary' | 'gaussian' | 'rectified';
  readonly contrastive?: ContrastiveRequest;
  readonly head?: HeadRequest;
};

/** default {} */
export type ModelDeepBeliefRequestPretraining = {
  /** k of CD-k: Gibbs steps; default 1; 1 to 100 */
  readonly steps?: number;
  /** false: reconstructions are means; hidden units are always sampled; default false */
  readonly sampleVisible?: boolean;
  /** L2 cost on the weights; default 0.0002; 0 to 1 */
  readonly weightCost?: number;
  /** of each level; default 5; 1 to 100000 */
  readonly epochs?: number;
  /** default 0.1; up to 10 */
  readonly learningRate?: number;
  /** of levels with real-valued units, which have no bound; default 0.001; up to 10 */
  readonly gaussianLearningRate?: number;
};

export type ModelDeepBeliefRequest = {
  readonly type: 'deep-belief';
  /** number of code units; default 30; 1 to 65536 */
  readonly code?: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [1000,500,250] */
  readonly hidden?: readonly number[];
  /** gaussian: real values with variance 1 */
  readonly visibleUnits?: 'binary' | 'gaussian';
  /** default "binary" */
  readonly hiddenUnits?: 'binary' | 'rectified';
  /** default "gaussian" */
  readonly codeUnits?: 'binary' | 'gaussian' | 'rectified';
  /** unit non-linearity φ */
  readonly outputActivation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖² */
  readonly loss?: 'bce' | 'mse' | 'sse' | 'half-sse';
  readonly pretraining?: ModelDeepBeliefRequestPretraining;
  readonly head?: HeadRequest;
};

/** a codec for pictures of any size: devices encode with a linear transform, the server decodes with a network */
export type ModelPictureRequest = {
  readonly type: 'picture';
  /** feature maps of the decoder's network; its cost grows with their square; default 96; 8 to 512 */
  readonly maps?: number;
  /** 3 × 3 convolutions of the decoder's network; default 2; 1 to 8 */
  readonly layers?: number;
  /** blocks of 8 × 8 pixels of the side of a training crop; default 16; 2 to 64 */
  readonly crop?: number;
  /** random crops in an epoch; default 2048; 1 to 1000000 */
  readonly crops?: number;
};

/** default {"type":"gaussian","sigma":0.09803921568627451} */
export type ModelRestorationRequestCorruption = {
  readonly type: 'gaussian';
  /** default 0.5; up to 10 */
  readonly sigma?: number;
} | CorruptionMaskingRequest | CorruptionSaltAndPepperRequest | CorruptionHoleRequest;

/** takes noise away from pictures of any size, or fills holes in them */
export type ModelRestorationRequest = {
  readonly type: 'restoration';
  readonly corruption?: ModelRestorationRequestCorruption;
  /** the network sees squares of so many pixels a side as one place: more is faster and sees farther, less is finer; default 2 */
  readonly stride?: 1 | 2 | 4 | 8;
  /** feature maps; the cost grows with their square; default 48; 8 to 512 */
  readonly maps?: number;
  /** residual blocks of two 3 × 3 convolutions each; default 5; 1 to 32 */
  readonly blocks?: number;
  /** pixels of the side of a training crop, a multiple of the stride; default 64; 16 to 512 */
  readonly crop?: number;
  /** random crops in an epoch; default 4096; 1 to 1000000 */
  readonly crops?: number;
};

export type ModelEaseRequest = {
  readonly type: 'ease';
  /** λ on the diagonal of XᵀX; more of it recommends what is popular; default 200; up to 1000000000 */
  readonly regularisation?: number;
  /** ratings from here on count as liked, others as not seen; 0 counts all; default 0; from 0 */
  readonly positive?: number;
};

export type ModelAutorecRequest = {
  readonly type: 'autorec';
  /** item: a row is what all people gave one item, the more exact of the two; user: a row is what one person gave all items; default "item" */
  readonly by?: 'item' | 'user';
  /** number of code units; default 500; 1 to 8192 */
  readonly code?: number;
  /** unit non-linearity φ; default "sigmoid" */
  readonly activation?: 'linear' | 'sigmoid' | 'tanh' | 'relu';
  /** share of the ratings of a row left out in each step; default 0.3; from 0 */
  readonly inputDropout?: number;
  /** share of the code units left out in each step; default 0.5; from 0 */
  readonly dropout?: number;
  /** weight of the squared weights in the loss, for one row; default 0.01; 0 to 1000000 */
  readonly penalty?: number;
  /** by item: variance of ratings around what a person thinks; more of it draws people with few ratings closer to all others; default 0.5; up to 1000000 */
  readonly noise?: number;
};

export type ModelMultVaeRequest = {
  readonly type: 'mult-vae';
  /** number of code units; default 200; 1 to 8192 */
  readonly code?: number;
  /** default [600] */
  readonly hidden?: readonly number[];
  /** share of the items of a person left out in each step; default 0.5; from 0 */
  readonly dropout?: number;
  /** weight of KL(q(z ∣ x) ‖ p(z)); default 0.2; 0 to 1000 */
  readonly beta?: number;
  /** ratings from here on count as liked, others as not seen; 0 counts all; default 0; from 0 */
  readonly positive?: number;
};

export type ModelTopicsRequest = {
  readonly type: 'topics';
  /** number of topics; default 50; 2 to 1000 */
  readonly code?: number;
  /** softplus units of the encoder; the decoder is one layer from topics to words; default [100,100] */
  readonly hidden?: readonly number[];
  /** α of the Dirichlet prior that the mixtures of documents come from; less of it gives fewer topics each; default 1; up to 1000 */
  readonly concentration?: number;
  /** share of the hidden units, and of the topics of a mixture, left out in each step; default 0.2; from 0 */
  readonly dropout?: number;
};

export type ModelSemanticHashingRequest = {
  readonly type: 'semantic-hashing';
  /** bits of a code, a multiple of 8; default 64; 32 to 128 */
  readonly code?: number;
  /** units of the encoder layers before the code; the decoder mirrors them; default [500] */
  readonly hidden?: readonly number[];
  /** deviation of the noise on the input of a code unit, against which only values near 0 and 1 stand; 4 in the paper; default 1; 0 to 100 */
  readonly noise?: number;
  /** share of the words of a document left out in each step; default 0.2; from 0 */
  readonly dropout?: number;
};

export type ModelSequenceRequest = {
  readonly type: 'sequence';
  /** numbers of a code; default 16; 1 to 4096 */
  readonly code?: number;
  /** gated recurrent units of the encoder, and of the decoder; default 64; 1 to 2048 */
  readonly units?: number;
  /** time steps that the units take at once; default: so many that the longest series has 32 patches; 1 to 4096 */
  readonly patch?: number;
  /** share of the series of a step whose end the encoder does not see, so that the decoder learns to go on; 0: the model reconstructs only; default 0.5; 0 to 1 */
  readonly hiddenEnds?: number;
  /** classes to train on; the others are anomalies, which the model is tested on */
  readonly normal?: readonly string[];
  /** share of ordinary series that may be called anomalous: where the threshold is set; default 0.05; up to 0.5 */
  readonly falseAlarms?: number;
};

export type ModelSequenceToSequenceRequest = {
  readonly type: 'sequence-to-sequence';
  /** gated recurrent units of the decoder, and of the encoder in each direction; default 256; 4 to 2048 */
  readonly units?: number;
  /** share of what attention and decoder give to the output that is left out in each step; default 0.2; from 0 */
  readonly dropout?: number;
  /** share of the probability that the loss wants spread over all symbols (label smoothing); default 0.05; from 0 */
  readonly smoothing?: number;
  /** targets that are followed at once when a source is translated, and answered at most; default 5; 1 to 16 */
  readonly beams?: number;
};

export type ModelRequest = ModelLinearRequest | ModelDenseRequest | ModelTiedRequest | ModelDeepRequest | ModelSparseRequest | ModelKSparseRequest | ModelDenoisingRequest | ModelStackedDenoisingRequest | ModelContractiveRequest | ModelConvolutionalRequest | ModelVariationalRequest | ModelRbmRequest | ModelDeepBeliefRequest | ModelPictureRequest | ModelRestorationRequest | ModelEaseRequest | ModelAutorecRequest | ModelMultVaeRequest | ModelTopicsRequest | ModelSemanticHashingRequest | ModelSequenceRequest | ModelSequenceToSequenceRequest;

/** default {} */
export type ValidationRequest = {
  /** share of the training rows, taken from their end, that is held out and never trained on; default 0.05; 0 to 0.5 */
  readonly fraction?: number;
};

export type EarlyStoppingRequest = {
  /** stop after so many epochs without a lower held-out loss; the best weights are kept; default 5; 1 to 100000 */
  readonly patience?: number;
  /** what counts as lower; default 0; 0 to 1000000 */
  readonly minDelta?: number;
};

/** what is measured on the test rows beside the loss; default {} */
export type EvaluationRequest = {
  /** test error of a softmax layer trained on the codes of the training rows; default false */
  readonly linearProbe?: boolean;
  /** test error of the vote of so many nearest codes; 0 leaves it out; default 0; 0 to 100 */
  readonly neighbours?: number;
  /** publishes the codes of training and test rows for other tools, labels beside them; default "none" */
  readonly codes?: 'none' | 'npy' | 'csv';
  /** variational models: test −ln p(x) in nats, estimated with so many samples a row; 0 leaves it out; default 0; 0 to 5000 */
  readonly importanceSamples?: number;
};

/** default {} */
export type TrainingRequest = {
  /** what it is trained on; each has a queue of its own, and a worker takes from those that it can serve; default "any" */
  readonly device?: 'cpu' | 'gpu' | 'any';
  /** default 5; 1 to 100000 */
  readonly epochs?: number;
  /** train on the first n rows only; from 1 */
  readonly maxSamples?: number;
  /** default 128; 1 to 65536 */
  readonly batchSize?: number;
  readonly optimizer?: OptimizerRequest;
  readonly validation?: ValidationRequest;
  readonly earlyStopping?: EarlyStoppingRequest;
  readonly evaluation?: EvaluationRequest;
  /** default 1; 0 to 4294967295 */
  readonly seed?: number;
};

export type SearchGridRequest = {
  readonly type: 'grid';
  /** the values to try, by JSON pointer into the job, such as /training/optimizer/learningRate */
  readonly parameters: { readonly [name: string]: readonly unknown[] };
};

export type SearchRandomRequest = {
  readonly type: 'random';
  /** default 10; 1 to 256 */
  readonly trials?: number;
  /** default 1; 0 to 4294967295 */
  readonly seed?: number;
  /** values to choose from, or an interval to draw from, by JSON pointer into the job, such as /training/optimizer/learningRate */
  readonly parameters: { readonly [name: string]: readonly unknown[] | {
    readonly min: number;
    readonly max: number;
    /** log: the exponent is uniform; default "linear" */
    readonly scale?: 'linear' | 'log';
    /** default false */
    readonly integer?: boolean;
  } };
};

export type SearchRandom = {
  readonly type: 'random';
  /** default 10; 1 to 256 */
  readonly trials: number;
  /** default 1; 0 to 4294967295 */
  readonly seed: number;
  /** values to choose from, or an interval to draw from, by JSON pointer into the job, such as /training/optimizer/learningRate */
  readonly parameters: { readonly [name: string]: readonly unknown[] | {
    readonly min: number;
    readonly max: number;
    /** log: the exponent is uniform; default "linear" */
    readonly scale: 'linear' | 'log';
    /** default false */
    readonly integer: boolean;
  } };
};

export type Search = SearchGridRequest | SearchRandom;

export type Trials = {
  /** of the trial's job */
  readonly id: string;
  readonly state: 'queued' | 'running' | 'cancelling' | 'succeeded' | 'failed' | 'cancelled';
  /** what distinguishes it, by JSON pointer */
  readonly parameters: { readonly [name: string]: unknown };
  readonly heldOutLoss?: number;
};

/** how pictures become rows of this shape, on every device and on the server: docs/pictures.md */
export type Preprocessing = {
  readonly name: 'picture';
  /** 2: grey by Rec. 601 on gamma-coded values, resampled with a triangle filter. 1, of models without this member: grey in linear light, Lanczos filter */
  readonly version: 1 | 2;
  /** what becomes of pictures of another size (default crop): crop takes the largest part of the middle with the row’s proportions, pad adds margins, squeeze changes the proportions */
  readonly fit: 'crop' | 'pad' | 'squeeze';
  /** what is behind transparent pixels: white, black, a colour such as #ffffe0, or auto, which is white when the visible part is dark and black when it is light. Rows of four channels keep their alpha */
  readonly transparency: string;
};

/** of a data set of ratings: its rows are people, the values of a row are items, 0 is "not rated" */
export type Ratings = {
  /** smallest and largest rating */
  readonly range: readonly [number, number];
  /** ratings to train on; from 0 */
  readonly train: number;
  /** ratings held out for testing; from 0 */
  readonly test: number;
};

/** documents to train on */
export type Train = {
  /** words in the vocabulary, with repetitions; from 0 */
  readonly words: number;
  /** different words, added up over the documents; from 0 */
  readonly entries: number;
};

/** documents held out for testing */
export type Test = {
  /** words in the vocabulary, with repetitions; from 0 */
  readonly words: number;
  /** different words, added up over the documents; from 0 */
  readonly entries: number;
};

/** of a data set of documents: its rows are documents, value i of a row is how often word i is in it */
export type Documents = {
  readonly train: Train;
  readonly test: Test;
};

/** of a data set of series: its rows are [time steps, channels], in which a value may be missing */
export type Series = {
  /** time steps; from 1 */
  readonly shortest: number;
  /** time steps; a row is as long, with nothing after the end of a shorter one; from 1 */
  readonly longest: number;
  /** values that were observed; from 0 */
  readonly train: number;
  /** values that were observed; from 0 */
  readonly test: number;
  /** values before the end of their series that were not observed; from 0 */
  readonly missing: number;
  /** of each channel, over the series to train on */
  readonly means: readonly number[];
  /** standard deviation of each channel */
  readonly deviations: readonly number[];
  /** what the channels are called */
  readonly channels?: readonly string[];
};

export type Sources = {
  /** different sources to train on; a source with several targets makes several rows; from 0 */
  readonly train: number;
  /** different sources held out for testing; from 0 */
  readonly test: number;
};

/** of a data set of pairs: its rows are numbers of symbols, [source | target], 0 behind the end of each */
export type Pairs = {
  /** symbols of the longest source; from 1 */
  readonly sourceLength: number;
  /** symbols of the longest target, and its end; from 1 */
  readonly targetLength: number;
  /** different symbols of sources; from 0 */
  readonly sourceSymbols: number;
  /** different symbols of targets; from 0 */
  readonly targetSymbols: number;
  readonly sources: Sources;
};

/** what was done to the values of the data set: value of a row = uploaded value / divisor; rows of numbers are sent scaled alike. Absent in versions of older releases */
export type InputScaling = {
  /** 1 or 255 */
  readonly divisor: number;
};

export type Lineage = {
  readonly jobId: string;
  /** the full resolved job specification */
  readonly spec: unknown;
  readonly seed: number;
  readonly dataset: {
    readonly name: string;
    readonly hash: string;
  };
  /** release that trained it */
  readonly hourglass: string;
  /** engine and device, such as onnx/cpu */
  readonly engine: string;
  /** revision of the engine's arithmetic: another one gives other bits from the same seed; absent for versions trained before revisions were counted; from 1 */
  readonly engineRevision?: number;
};

/** there when the rows of the model are counts of words in documents */
export type Text = {
  /** file of the version and of its bundle: which word each value counts */
  readonly vocabulary: string;
  /** of the vocabulary; from 1 */
  readonly words: number;
  /** version of the rules that divide a text into words; from 1 */
  readonly rules: number;
  /** what a code is: shares of topics, or bits */
  readonly codes: 'topics' | 'bits';
};

export type Qualities = {
  /** payload of a row in a batch, on held-out rows */
  readonly bytesPerRow: number;
  /** dB, on held-out rows */
  readonly psnr: number;
  /** squared error, summed over a row, that one bit is worth */
  readonly lambda: number;
};

/** how codes of this version become frames; absent when they cannot */
export type Codec = {
  /** SHA-256 over decoder.onnx, then codec.bin; frames carry its beginning */
  readonly hash: string;
  /** from coarse to fine */
  readonly qualities: readonly Qualities[];
};

export type PictureQualities = {
  /** number of the step that frames carry; 0 to 63 */
  readonly step: number;
  /** bits a pixel, on held-out pictures */
  readonly bpp: number;
  /** dB, on held-out pictures */
  readonly psnr: number;
};

/** there when the version is a codec for pictures of any size, which answers frames in place of operations */
export type Picture = {
  /** SHA-256 over decoder.onnx, then codec.bin; frames carry its beginning */
  readonly hash: string;
  /** of its pictures: 1, 3 or 4 */
  readonly channels: number;
  /** blocks of 8 × 8 pixels around each block that its decoder looks at; from 0 */
  readonly margin: number;
  /** from coarse to fine */
  readonly qualities: readonly PictureQualities[];
};

/** there when the version restores pictures of any size, which denoise takes and answers in place of rows */
export type Restorer = {
  /** of its pictures: 1, 3 or 4 */
  readonly channels: number;
  /** side in pixels of the squares that restorer.onnx takes; from 1 */
  readonly stride: number;
  /** squares around each square that it looks at; from 0 */
  readonly margin: number;
  /** it fills holes: transparent pixels of a picture that is sent */
  readonly hasMask: boolean;
};

export type Files = {
  /** file name inside the version, such as encoder.onnx */
  readonly path: string;
  /** from 0 */
  readonly bytes: number;
  readonly sha256: string;
};

export type AliasChanges = {
  readonly alias: string;
  /** what it points to since; absent: it was removed; from 1 */
  readonly version?: number;
  readonly at: string;
  /** key:ID, token:SUBJECT, or anybody where there is no access control */
  readonly by: string;
};

export type Alternatives = {
  /** frames of another model for such rows, or each row as a WebP picture */
  readonly type: 'frame' | 'webp';
  /** of frames */
  readonly model?: string;
  /** of the model, or of WebP (1 to 100) */
  readonly quality: number;
  /** for all rows; of a model about */
  readonly bytes: number;
  /** dB, of a model on held-out rows, of WebP on these */
  readonly psnr: number;
};
