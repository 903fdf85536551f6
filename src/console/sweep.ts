/** What the pages of sweeps share: how parameters are called, which trials have ended, the least loss. */

import type { SweepView } from '../sdk/index.ts';

/** `/training/optimizer/learningRate` as people say it: `optimizer learning rate`. */
export const parameterName = (pointer: string): string =>
  pointer
    .split('/')
    .slice(2)
    .join(' ')
    .replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);

/** `code 16, optimizer learning rate 0.01` */
export const parametersText = (parameters: Readonly<Record<string, unknown>>): string =>
  Object.entries(parameters)
    .map(([pointer, value]) => `${parameterName(pointer)} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');

export const hasEnded = (state: string): boolean => ['succeeded', 'failed', 'cancelled'].includes(state);

export function lossOf({ trials }: SweepView): number | undefined {
  const losses = trials.flatMap(({ heldOutLoss }) => (heldOutLoss === undefined ? [] : [heldOutLoss]));
  return losses.length > 0 ? Math.min(...losses) : undefined;
}

/** A search as the form of a new job holds it: values as they were typed. */
export interface SearchDraft {
  readonly type: 'grid' | 'random';
  readonly trials: string;
  readonly parameters: readonly { readonly pointer: string; readonly values: string }[];
}

export const emptySearch: SearchDraft = { type: 'grid', trials: '10', parameters: [{ pointer: '', values: '' }] };

/** `16, 32` or `[128], [256, 128]` as values; `1e-4..1e-2` of a random search as an interval. */
export function readValues(text: string): unknown {
  const interval = text.trim().match(/^(\S+?)\s*(?:\.\.|…)\s*(\S+)$/);
  if (interval) {
    const [min, max] = [Number(interval[1]), Number(interval[2])];
    const isLog = min > 0 && max / min >= 50;
    const isInteger = Number.isInteger(min) && Number.isInteger(max);
    return { min, max, ...(isLog && { scale: 'log' }), ...(isInteger && { integer: true }) };
  }
  try {
    return JSON.parse(`[${text}]`) as unknown[];
  } catch {
    return text
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean);
  }
}

/** Parameters without values are not sent. */
export function searchOf({ type, trials, parameters }: SearchDraft): object | undefined {
  const given = parameters.filter(({ pointer, values }) => pointer !== '' && values.trim() !== '');
  if (given.length === 0) return undefined;
  return {
    type,
    ...(type === 'random' && { trials: Number(trials) }),
    parameters: Object.fromEntries(given.map(({ pointer, values }) => [pointer, readValues(values)])),
  };
}

/** The form's state for a search in JSON. */
export function draftOf(search: unknown): SearchDraft {
  const { type, trials = 10, parameters = {} } = search as { type?: string; trials?: number; parameters?: object };
  const textOf = (values: unknown): string => {
    if (Array.isArray(values)) return JSON.stringify(values).slice(1, -1).replaceAll(',', ', ');
    const { min, max } = values as { min?: number; max?: number };
    return `${min}..${max}`;
  };
  return {
    type: type === 'random' ? 'random' : 'grid',
    trials: String(trials),
    parameters: Object.entries(parameters).map(([pointer, values]) => ({ pointer, values: textOf(values) })),
  };
}

/** How many trials a grid makes; of a random search as many as asked. */
export function trialCount({ type, trials, parameters }: SearchDraft): number {
  if (type === 'random') return Number(trials);
  return parameters
    .filter(({ pointer, values }) => pointer !== '' && values.trim() !== '')
    .map(({ values }) => readValues(values))
    .reduce<number>((product, values) => product * (Array.isArray(values) ? values.length : 1), 1);
}

/** JSON pointers of what can be varied: the values of a resolved job's model and training. */
export function pointersOf(spec: unknown): readonly string[] {
  const found: string[] = [];
  const visit = (value: unknown, pointer: string): void => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      found.push(pointer);
      return;
    }
    for (const [name, member] of Object.entries(value)) visit(member, `${pointer}/${name}`);
  };
  const { model = {}, training = {} } = (spec ?? {}) as { model?: unknown; training?: unknown };
  visit(model, '/model');
  visit(training, '/training');
  return found.filter((pointer) => pointer.length <= 200);
}
