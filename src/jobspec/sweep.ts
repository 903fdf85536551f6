/**
 * A sweep: one job specification tried with several values of some of its members, by grid or at random. The trial with the
 * lowest held-out loss is the one that is published.
 */

import { type Static, Type } from 'typebox';
import { HourglassError } from '../base/errors.ts';
import { RandomStream } from '../base/random.ts';
import { JobFailure, type JobSpec, JobState } from './job.ts';
import { type ResolveContext, resolveJobSpec } from './resolve.ts';
import { checkAgainst, supported } from './schema-check.ts';

const closed = { additionalProperties: false } as const;

export const maxTrials = 256;
/** members of the job that one search may vary: every trial holds a value of each */
export const maxParameters = 32;
const longestPointer = 200;
/** of the values of a trial, in messages */
const longestNote = 500;
/** the metric of a finished trial by which trials are compared */
export const sweepObjective = 'heldOut.loss';

const Values = Type.Array(Type.Unknown(), { minItems: 1, maxItems: maxTrials });
const pointers = 'by JSON pointer into the job, such as /training/optimizer/learningRate';

export const GridSearch = Type.Object(
  {
    type: Type.Literal('grid'),
    parameters: Type.Record(Type.String(), Values, {
      maxProperties: maxParameters,
      description: `the values to try, ${pointers}`,
    }),
  },
  closed,
);

const Interval = supported(
  Type.Object(
    {
      min: Type.Number(),
      max: Type.Number(),
      scale: Type.Enum(['linear', 'log'], { default: 'linear', description: 'log: the exponent is uniform' }),
      integer: Type.Boolean({ default: false }),
    },
    closed,
  ),
);
type Interval = Static<typeof Interval>;

export const RandomSearch = Type.Object(
  {
    type: Type.Literal('random'),
    trials: Type.Integer({ minimum: 1, maximum: maxTrials, default: 10 }),
    seed: Type.Integer({ minimum: 0, maximum: 0xffff_ffff, default: 1 }),
    parameters: Type.Record(Type.String(), Type.Union([Values, Interval]), {
      maxProperties: maxParameters,
      description: `values to choose from, or an interval to draw from, ${pointers}`,
    }),
  },
  closed,
);

export const SweepSearch = Type.Union([GridSearch, RandomSearch]);
export type SweepSearch = Static<typeof SweepSearch>;

export const TrialView = Type.Object({
  id: Type.String({ description: "of the trial's job" }),
  state: JobState,
  parameters: Type.Record(Type.String(), Type.Unknown(), { description: 'what distinguishes it, by JSON pointer' }),
  heldOutLoss: Type.Optional(Type.Number()),
});
export type TrialView = Static<typeof TrialView>;

export const SweepView = Type.Object({
  id: Type.String(),
  name: Type.String({ description: 'of the model that the best trial is published as' }),
  /** `running` while trials run and while the best one is published */
  state: JobState,
  search: SweepSearch,
  createdAt: Type.String({ format: 'date-time' }),
  finishedAt: Type.Optional(Type.String({ format: 'date-time' })),
  trials: Type.Array(TrialView, { description: 'in the order of the search' }),
  best: Type.Optional(Type.String({ description: 'id of the trial with the lowest held-out loss' })),
  /** set when succeeded */
  model: Type.Optional(Type.String()),
  version: Type.Optional(Type.Integer()),
  metrics: Type.Optional(Type.Record(Type.String(), Type.Number())),
  failure: Type.Optional(JobFailure),
  warnings: Type.Array(Type.String()),
});
export type SweepView = Static<typeof SweepView>;

/** What a dry run answers: the sweep as it would be queued. */
export const SweepCheck = Type.Object({
  search: SweepSearch,
  trials: Type.Array(
    Type.Object({
      parameters: TrialView.properties.parameters,
      memoryBytes: Type.Integer({ minimum: 0, description: 'estimated memory of its training process' }),
    }),
    { description: 'in the order of the search' },
  ),
  warnings: Type.Array(Type.String()),
});
export type SweepCheck = Static<typeof SweepCheck>;

export interface Trial {
  /** what distinguishes it, by JSON pointer */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly spec: JobSpec;
}

export interface ResolvedSweep {
  readonly search: SweepSearch;
  readonly trials: readonly Trial[];
  readonly warnings: readonly string[];
}

/**
 * The trials of a sweep, each a resolved job. Throws what `resolveJobSpec` throws, with the trial's values in the message,
 * and `invalid-spec` for a search that makes no trial, too many, or trials without held-out rows.
 */
export function resolveSweep(rawJob: unknown, rawSearch: unknown, context: ResolveContext = {}): ResolvedSweep {
  const search = checkSearch(rawSearch);
  const combinations = search.type === 'grid' ? grid(search.parameters) : draw(search);
  const warnings = new Set<string>();
  const trials = combinations.map((parameters): Trial => {
    const { spec, warnings: own } = resolveTrial(rawJob, parameters, context);
    for (const warning of own) warnings.add(warning);
    return { parameters, spec };
  });
  return { search, trials, warnings: [...warnings] };
}

/** The client names the parameters, and the shared check allows only known names: it checks the other members. */
const searchKinds = {
  grid: supported(Type.Omit(GridSearch, ['parameters'], closed)),
  random: supported(Type.Omit(RandomSearch, ['parameters'], closed)),
};

function checkSearch(raw: unknown): SweepSearch {
  const { parameters, ...rest } = (typeof raw === 'object' && raw !== null ? raw : {}) as Record<string, unknown>;
  const kind = Object.hasOwn(searchKinds, String(rest.type))
    ? searchKinds[rest.type as keyof typeof searchKinds]
    : undefined;
  if (!kind) throw invalid('/search/type', '"search.type" must be "grid" or "random".');
  const checked = within('/search', () => checkAgainst(kind, rest)) as object;
  const count = typeof parameters === 'object' && parameters !== null ? Object.keys(parameters).length : 0;
  if (typeof parameters !== 'object' || parameters === null || count === 0) {
    throw invalid(
      '/search/parameters',
      '"search.parameters" must name at least one member of the job, such as {"/model/code": [16, 32]}.',
    );
  }
  if (count > maxParameters) {
    throw new HourglassError(
      'invalid-spec',
      `"search.parameters" names ${count} members of the job; at most ${maxParameters} can be varied in one sweep.`,
      { field: '/search/parameters', expected: { atMost: maxParameters }, found: count },
    );
  }
  const named = Object.entries(parameters).map(([pointer, values]) => [
    pointer,
    checkValues(pointer, values, rest.type),
  ]);
  return { ...checked, parameters: Object.fromEntries(named) } as SweepSearch;
}

/** Runs a check of one part; its errors then point into the whole request. */
function within<T>(prefix: string, check: () => T, note = ''): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof HourglassError)) throw error;
    const facts = { ...error.facts, field: `${prefix}${error.facts.field ?? ''}` };
    throw new HourglassError(error.code, `${error.message}${note}`, facts);
  }
}

function checkValues(pointer: string, values: unknown, type: unknown): unknown {
  const shown = pointer.slice(0, longestPointer);
  const field = `/search/parameters/${shown.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  if (pointer.length > longestPointer || !/^\/(model|training)(\/[A-Za-z0-9]+)+$/.test(pointer)) {
    throw invalid(
      field,
      `"${shown}" does not point into the job's model or training. Write it like /training/optimizer/learningRate.`,
    );
  }
  if (Array.isArray(values) && values.length > 0 && values.length <= maxTrials) return values;
  if (type !== 'random' || Array.isArray(values) || typeof values !== 'object') {
    throw invalid(field, `"${pointer}" needs a list of 1 to ${maxTrials} values.`);
  }
  const interval = within(field, () => checkAgainst(Interval, values)) as Interval;
  if (interval.min > interval.max || (interval.scale === 'log' && interval.min <= 0)) {
    throw invalid(field, `"${pointer}" needs min ≤ max, and min above 0 on a log scale.`);
  }
  return interval;
}

function resolveTrial(rawJob: unknown, parameters: Readonly<Record<string, unknown>>, context: ResolveContext) {
  const raw = structuredClone(rawJob);
  for (const [pointer, value] of Object.entries(parameters)) setAt(raw, pointer, value);
  const values = JSON.stringify(parameters);
  const note = ` (In the trial with ${values.length > longestNote ? `${values.slice(0, longestNote)}…` : values}.)`;
  const resolved = within('/job', () => resolveJobSpec(raw, context), note);
  if (resolved.spec.training.validation.fraction > 0) return resolved;
  throw invalid(
    '/job/training/validation/fraction',
    'Trials are compared on held-out rows: "training.validation.fraction" must be above 0.',
  );
}

/** Creates the objects on the path that are missing; the check of the whole job then refuses what is wrong. */
function setAt(target: unknown, pointer: string, value: unknown): void {
  const path = pointer.slice(1).split('/');
  const last = path.pop() as string;
  let at = target as Record<string, unknown> | null;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return;
    if (typeof at[key] !== 'object' || at[key] === null) at[key] = {};
    at = at[key] as Record<string, unknown>;
  }
  if (typeof at === 'object' && at !== null) at[last] = value;
}

/** Every combination; the last parameter changes fastest. The count is known, and refused, before any is made. */
function grid(parameters: Readonly<Record<string, readonly unknown[]>>): Record<string, unknown>[] {
  const choices = Object.entries(parameters);
  let trials = 1;
  for (const [, { length }] of choices) {
    trials *= length;
    if (trials > maxTrials) {
      throw invalid(
        '/search/parameters',
        `The grid has more than ${maxTrials} trials. Give fewer values, or search at random.`,
      );
    }
  }
  return Array.from({ length: trials }, (_, trial) => {
    let rest = trial;
    const chosen = [...choices].reverse().map(([pointer, values]) => {
      const value = values[rest % values.length];
      rest = Math.floor(rest / values.length);
      return [pointer, value] as const;
    });
    return Object.fromEntries(chosen.reverse());
  });
}

/** Independent draws; the same seed gives the same trials. */
function draw({ trials, seed, parameters }: Extract<SweepSearch, { type: 'random' }>): Record<string, unknown>[] {
  const random = new RandomStream(seed, 'sweep');
  const uniform = (): number => random.uniform(new Float32Array(1))[0] ?? 0;
  const drawFrom = (choice: readonly unknown[] | Interval): unknown => {
    if (Array.isArray(choice)) return choice[Math.min(choice.length - 1, Math.floor(uniform() * choice.length))];
    const { min, max, scale, integer } = choice as Interval;
    const [low, high] = scale === 'log' ? [Math.log(min), Math.log(max)] : [min, max];
    const at = low + uniform() * (high - low);
    const value = Math.min(max, Math.max(min, scale === 'log' ? Math.exp(at) : at));
    return integer ? Math.round(value) : value;
  };
  return Array.from({ length: trials }, () =>
    Object.fromEntries(Object.entries(parameters).map(([pointer, choice]) => [pointer, drawFrom(choice)])),
  );
}

const invalid = (field: string, message: string): HourglassError =>
  new HourglassError('invalid-spec', message, { field });
