/**
 * Stands in for vitest in the GPU pack, whose machine has no node_modules of ours: `describe` and `it` gather cases, `expect`
 * compares with node:assert. Only what test/conformance/engine.test.ts uses.
 */

import { deepStrictEqual, match, rejects } from 'node:assert/strict';

type Work = () => unknown;

interface Suite {
  readonly name: string;
  readonly before: Work[];
  readonly after: Work[];
  readonly cases: { readonly name: string; readonly work: Work }[];
  readonly inner: Suite[];
  skipped: number;
}

const suiteOf = (name: string): Suite => ({ name, before: [], after: [], cases: [], inner: [], skipped: 0 });
const root = suiteOf('');
let current = root;

export function describe(name: string, define: () => void): void {
  const outer = current;
  const suite = suiteOf(name);
  outer.inner.push(suite);
  current = suite;
  define();
  current = outer;
}
describe.runIf = (condition: boolean) => (condition ? describe : () => {});

export function it(name: string, work: Work): void {
  current.cases.push({ name, work });
}
const skip = (): void => {
  current.skipped++;
};
it.skipIf = (condition: unknown) => (condition ? skip : it);

export const beforeAll = (work: Work): number => current.before.push(work);
export const afterAll = (work: Work): number => current.after.push(work);

function within(actual: unknown, expected: object): void {
  const found = actual as Record<string, unknown>;
  for (const [key, value] of Object.entries(expected)) deepStrictEqual(found[key], value);
}

export function expect(actual: unknown, message?: string) {
  const must = (holds: boolean, what: string): void => {
    if (!holds) throw new Error(message ?? `${String(actual)} is not ${what}`);
  };
  return {
    toBe: (wanted: unknown) => must(Object.is(actual, wanted), String(wanted)),
    toEqual: (wanted: unknown) => deepStrictEqual(actual, wanted),
    toBeLessThanOrEqual: (most: number) => must((actual as number) <= most, `≤ ${most}`),
    toBeGreaterThanOrEqual: (least: number) => must((actual as number) >= least, `≥ ${least}`),
    rejects: {
      toMatchObject: (wanted: object) =>
        rejects(actual as Promise<unknown>, (error: unknown) => {
          within(error, wanted);
          return true;
        }),
      toThrow: (text: string) =>
        rejects(actual as Promise<unknown>, (error: Error) => {
          match(error.message, new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')));
          return true;
        }),
    },
  };
}

export interface Results {
  readonly passed: number;
  readonly skipped: number;
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
}

/** Runs the suites whose name is accepted, one case after the other. */
export async function runSuites(accepts: (name: string) => boolean, until: () => boolean): Promise<Results> {
  const failed: { name: string; reason: string }[] = [];
  let [passed, skipped] = [0, 0];
  const attempt = async (name: string, work: Work): Promise<void> => {
    try {
      await work();
      passed++;
    } catch (error) {
      failed.push({ name, reason: (error as Error).message.split('\n').slice(0, 3).join(' ').slice(0, 300) });
    }
  };
  const run = async (suite: Suite): Promise<void> => {
    for (const work of suite.before) await work();
    skipped += suite.skipped;
    for (const { name, work } of suite.cases) {
      if (until()) await attempt(`${suite.name}: ${name}`, work);
      else skipped++;
    }
    for (const inner of suite.inner) await run(inner);
    for (const work of suite.after) await attempt(`${suite.name}: end`, work as Work);
  };
  for (const suite of root.inner) if (accepts(suite.name)) await run(suite);
  return { passed, skipped, failed };
}
