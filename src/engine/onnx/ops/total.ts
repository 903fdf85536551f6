/** The sum of all elements, as a loss takes it: factors move outside, logarithms are taken of products. */

import { sameShape, sizeOf } from '../../../base/ndarray.ts';
import { type Graph, type Node, splatOf, type Value } from '../graph.ts';
import { add, binary, mul, reshape, sub, unary } from '../nodes.ts';

/** Σ of a float32 tensor, a number. */
export function total(g: Graph, x: Value): Value {
  const splat = splatOf(x);
  if (splat !== undefined) return g.scalar('float32', splat * sizeOf(x.shape));
  const outside = scaledTotal(g, x);
  if (outside) return outside;
  const { rest, logs } = withoutLogs(g, x);
  const sum = rest ? reduceAll(g, 'ReduceSum', rest) : g.scalar('float32', 0);
  return logs.reduce((left, { minus, of }) => (minus ? sub : add)(g, left, sumOfLogs(g, of)), sum);
}

const nodeOf = ({ source }: Value): Node | undefined => (source.kind === 'node' ? source.node : undefined);
const isNumber = (x: Value): boolean => sizeOf(x.shape) === 1;

/** The total of what lies below a change of shape, an earlier sum or a factor. */
function scaledTotal(g: Graph, x: Value): Value | undefined {
  const node = nodeOf(x);
  const [a, b] = (node?.inputs ?? []) as [Value, Value];
  switch (node?.op) {
    case 'Reshape':
    case 'Transpose':
    case 'ReduceSum':
      return total(g, a);
    case 'Gemm':
      // how `sum` adds up rows
      return node.inputs.length === 2 && a.shape[0] === 1 && splatOf(a) === 1 ? total(g, b) : undefined;
    case 'Neg':
      return unary(g, 'Neg', total(g, a));
    case 'Div':
      return isNumber(b) && !isNumber(a) ? binary(g, 'Div', total(g, a), reshape(g, b, [])) : undefined;
    case 'Mul': {
      if (a === b) return reduceAll(g, 'ReduceSumSquare', a);
      const [factor, tensor] = isNumber(a) ? [a, b] : [b, a];
      return isNumber(factor) && !isNumber(tensor) ? mul(g, total(g, tensor), reshape(g, factor, [])) : undefined;
    }
    default:
      return undefined;
  }
}

const reduceAll = (g: Graph, op: string, x: Value): Value =>
  g.node(op, [reshape(g, x, [sizeOf(x.shape)]), g.int64([0])], { type: x.type, shape: [] }, { keepdims: 0 });

/** Terms ±ln x of a sum, apart from its rest. Other terms stay together: their own sums could cancel each other's digits. */
interface Terms {
  readonly rest?: Value;
  readonly logs: readonly { readonly minus: boolean; readonly of: Value }[];
}

function withoutLogs(g: Graph, x: Value): Terms {
  const node = nodeOf(x);
  const [a, b] = (node?.inputs ?? []) as [Value, Value];
  if (node?.op === 'Log' && isHalfToOne(a)) return { logs: [{ minus: false, of: a }] };
  if ((node?.op !== 'Add' && node?.op !== 'Sub') || !sameShape(a.shape, b.shape)) return { rest: x, logs: [] };
  const [left, right] = [withoutLogs(g, a), withoutLogs(g, b)];
  const negative = node.op === 'Sub';
  const logs = [...left.logs, ...right.logs.map(({ minus, of }) => ({ minus: minus !== negative, of }))];
  if (logs.length === 0) return { rest: x, logs };
  if (!right.rest) return { ...left, logs };
  if (!left.rest) return { rest: negative ? unary(g, 'Neg', right.rest) : right.rest, logs };
  return { rest: (negative ? sub : add)(g, left.rest, right.rest), logs };
}

/** σ(|a|), as Softplus is written. */
function isHalfToOne(x: Value): boolean {
  const sigmoid = nodeOf(x);
  return sigmoid?.op === 'Sigmoid' && nodeOf(sigmoid.inputs[0]!)?.op === 'Abs';
}

/** Shorter tensors are not worth a product. */
const worthwhile = 4096;

/**
 * Σ ln x of numbers between ½ and 1, as Σ ln of products of up to 16 (at least 2⁻¹⁶) of them: ONNX Runtime's logarithm costs
 * more than all the rest of a cross-entropy.
 */
function sumOfLogs(g: Graph, x: Value): Value {
  let product = reshape(g, x, [sizeOf(x.shape)]);
  for (let doubled = 0; doubled < 4; doubled++) {
    const size = product.shape[0]!;
    if (size % 2 || size < worthwhile) break;
    const half = { type: 'float32', shape: [size / 2] } as const;
    const [low, high] = g.nodes('Split', [product, g.int64([size / 2, size / 2])], [half, half], { axis: 0 });
    product = mul(g, low!, high!);
  }
  return reduceAll(g, 'ReduceSum', unary(g, 'Log', product));
}
