/** Products of matrices. */

import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../../../base/ndarray.ts';
import type { Graph, Value } from '../graph.ts';
import { lower } from '../lowering.ts';
import { add, broadcastShapes, cast, gemm, matMul, reshape, transpose } from '../nodes.ts';
import { activate } from './elementwise.ts';

function swapLast(g: Graph, x: Value): Value {
  const axes = [...x.shape.keys()];
  return transpose(g, x, [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!]);
}

/** From this size of a product on, ONNX Runtime is quicker at transposing A first than at reading it by columns. */
const worthTurning = 2 ** 18;

/** [1, inner, rows] → [rows, inner]. As a matrix it would be put back into the Gemm when the model is loaded. */
const turnedMatrix = (g: Graph, a: Value): Value => reshape(g, transpose(g, a, [0, 2, 1]), [a.shape[2]!, a.shape[1]!]);

/**
 * Batched matrix product; leading axes broadcast. One matrix on each side is a Gemm, which transposes on the fly and adds
 * `bias` [columns] in the same pass. int32 is computed in float32: exact up to 2^24.
 */
export function product(
  g: Graph,
  left: Value,
  right: Value,
  {
    transposeA = false,
    transposeB = false,
    bias,
  }: { transposeA?: boolean; transposeB?: boolean; bias?: Value | undefined },
): Value {
  const [a, b] = [cast(g, left, 'float32'), cast(g, right, 'float32')];
  const rows = a.shape.at(transposeA ? -1 : -2)!;
  const inner = a.shape.at(transposeA ? -2 : -1)!;
  const columns = b.shape.at(transposeB ? -2 : -1)!;
  const innerB = b.shape.at(transposeB ? -1 : -2)!;
  tf.util.assert(
    inner === innerB,
    () => `Error in matMul: inner dimensions ${inner} and ${innerB} of [${a.shape}] and [${b.shape}] must match`,
  );
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...batch, rows, columns];
  if (sizeOf([...shape, inner]) === 0) return g.constant('float32', shape, [0]);
  const single = (x: Value) => sizeOf(x.shape.slice(0, -2)) === 1;
  if (single(b) && (single(a) || !transposeA)) {
    // the rows of all batches make one tall matrix
    const tall = transposeA ? [inner, rows] : [sizeOf(batch) * rows, inner];
    const c = bias && bias.shape.length <= 2 ? bias : undefined;
    const turned = transposeA && !transposeB && rows * columns >= worthTurning;
    const flat = gemm(
      g,
      turned ? turnedMatrix(g, reshape(g, a, [1, ...tall])) : reshape(g, a, tall),
      reshape(g, b, b.shape.slice(-2)),
      { transA: transposeA && !turned, transB: transposeB, c },
    );
    const y = reshape(g, flat, shape);
    return bias && !c ? add(g, y, bias) : y;
  }
  const y = matMul(g, transposeA ? swapLast(g, a) : a, transposeB ? swapLast(g, b) : b);
  return bias ? add(g, y, bias) : y;
}

lower<tf.BatchMatMulInputs, tf.BatchMatMulAttrs>(tf.BatchMatMul, ({ g, inputs: { a, b }, attrs }) =>
  cast(g, product(g, a, b, attrs), a.type),
);

lower<tf.EinsumInputs, tf.EinsumAttrs>(tf.Einsum, ({ g, inputs, attrs: { equation } }) => {
  const parts = Object.values(inputs) as Value[];
  const { allDims, idDims, summedDims } = tf.backend_util.decodeEinsumEquation(equation, parts.length);
  tf.backend_util.checkEinsumDimSizes(
    allDims.length,
    idDims,
    parts.map((part) => ({ shape: [...part.shape] }) as tf.Tensor),
  );
  const sizes = new Array<number>(allDims.length).fill(1);
  idDims.forEach((dims, i) => {
    dims.forEach((dim, axis) => {
      sizes[dim] = parts[i]!.shape[axis]!;
    });
  });
  const shape = sizes.slice(0, allDims.length - summedDims.length);
  return g.node('Einsum', parts, { type: parts[0]!.type, shape }, { equation });
});

lower<tf._FusedMatMulInputs, tf._FusedMatMulAttrs>(tf._FusedMatMul, ({ g, inputs, attrs }) => {
  const { a, b, bias, preluActivationWeights: weights } = inputs;
  const y = product(g, a!, b!, { transposeA: attrs.transposeA, transposeB: attrs.transposeB, bias });
  return activate(g, y, attrs.activation, weights, attrs.leakyreluAlpha);
});
