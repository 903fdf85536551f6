/**
 * Cuts what ONNX Runtime computes of a step at the gradients of max-pools, which passes of our own compute in between:
 *
 *   ONNX Runtime ─► pass ─► ONNX Runtime ─► pass ─► ONNX Runtime
 *        └───────────┴─────────────┴─────────── values that a later stage reads, in linear memory
 *
 * A value is computed in the earliest stage that can.
 */

import type { Node, Value } from '../graph.ts';
import { type PoolGradient, poolGradientOf } from '../ops/pooling.ts';
import { fitsLoop } from './pool-loop.ts';

export interface Stage {
  /** what an earlier stage or pass has computed */
  readonly given: readonly Value[];
  /** what this one computes for later stages, for passes and as results; each once */
  readonly makes: readonly Value[];
  /** passes that run after it */
  readonly passes: readonly PoolGradient[];
}

/** The stages that compute `results`: one, where there is nothing to cut at. */
export function stagesOf(results: readonly Value[]): readonly Stage[] {
  const { levelOf, nodes, passes } = levels(results);
  const whole: Stage = { given: [], makes: [...new Set(results)], passes: [] };
  if (passes.length === 0) return [whole];

  /** read in a stage after the one that computes them, or by a pass */
  const crossing = new Set<Value>(passes.flatMap(({ dy, input }) => [dy, input]));
  const reads = new Map<number, Set<Value>>();
  const read = (value: Value, stage: number): void => {
    const isLater = value.source.kind === 'node' && (isPass(value) || levelOf(value) < stage);
    if (!isLater) return;
    if (!isPass(value)) crossing.add(value);
    const known = reads.get(stage) ?? new Set();
    reads.set(stage, known.add(value));
  };
  for (const node of nodes) for (const input of node.inputs) if (input) read(input, levelOf(node.outputs[0]!));
  // indices cannot lie in linear memory
  if ([...crossing].some(({ type }) => type === 'int64')) return [whole];

  const last = Math.max(...passes.map(({ gradient }) => levelOf(gradient)));
  // inputs lie in memory already, unless they are results as they are
  const kept = [...crossing].filter(({ source }) => source.kind !== 'input');
  const made = [...new Set([...kept, ...results])].filter((value) => !isPass(value));
  return Array.from({ length: last + 1 }, (_, stage) => ({
    given: [...(reads.get(stage) ?? [])],
    makes: made.filter((value) => levelOf(value) === stage),
    passes: passes.filter(({ gradient }) => levelOf(gradient) === stage + 1),
  }));
}

/** Whether `stagesOf` finds stages for all passes that the graph itself cannot compute. */
export function canCut(results: readonly Value[]): boolean {
  const { passes } = levels(results);
  return passes.every(({ block }) => block === undefined) || stagesOf(results).length > 1;
}

const passOf = (value: Value): PoolGradient | undefined => {
  const found = poolGradientOf(value);
  return found && fitsLoop(found) ? found : undefined;
};
const isPass = (value: Value): boolean => passOf(value) !== undefined;

/** The stage of each value: one later than what a pass reads, for what is computed from the pass. */
function levels(results: readonly Value[]) {
  const known = new Map<Value, number>();
  const nodes = new Set<Node>();
  const passes: PoolGradient[] = [];
  const levelOf = (value: Value): number => {
    const found = known.get(value);
    if (found !== undefined) return found;
    const pass = passOf(value);
    let level = 0;
    if (pass) {
      level = Math.max(levelOf(pass.dy), levelOf(pass.input)) + 1;
      passes.push(pass);
    } else if (value.source.kind === 'node') {
      nodes.add(value.source.node);
      for (const input of value.source.node.inputs) if (input) level = Math.max(level, levelOf(input));
    }
    known.set(value, level);
    return level;
  };
  for (const value of results) levelOf(value);
  return { levelOf, nodes, passes };
}
