/**
 * Finds out how many channels ONNX Runtime puts into a block on this processor: 16 with AVX-512, 8 with AVX and AVX2. By asking
 * it, never by the name of the processor.
 */

import { type NdArray, type NdArrays, sizeOf } from '../../../base/ndarray.ts';
import { Session } from '../../../runtime/session.ts';
import { Graph } from '../graph.ts';
import { functionModel } from '../model.ts';
import { transpose } from '../nodes.ts';
import { convolve, toBlocks, toChannelsFirst } from './forms.ts';

const metadata = { producer: 'hourglass', version: '1' };

/** The block that ONNX Runtime fills 4 channels up to: part of the shape that it infers, so nothing runs. */
function inferredBlock(): number {
  const g = new Graph();
  const x = g.input('x', 'float32', [1, 4, 1, 1]);
  const y = { name: 'y', value: toBlocks(g, x, 8).value, shape: ['n', 'c', 'h', 'w'] };
  const session = Session.create(functionModel('block', [{ name: 'x', value: x }], [y], metadata));
  const channels = session.outputs[0]?.shape[1];
  session.dispose();
  return typeof channels === 'number' ? channels : 0;
}

const test = { batch: 2, channels: 16, height: 5, width: 7 };

/** Whether a convolution in blocks of this size gives what an ordinary one gives. */
function computes(block: number): boolean {
  const { batch, channels, height, width } = test;
  const g = new Graph();
  const x = g.input('x', 'float32', [batch, channels, height, width]);
  const filter = g.input('filter', 'float32', [3, 3, channels, channels]);
  const attributes = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  const weights = transpose(g, filter, [3, 2, 0, 1]);
  const plain = g.node('Conv', [x, weights], x, attributes);
  const blocked = convolve(g, { image: toBlocks(g, x, block), filter, size: [height, width], attributes }, block);
  const named = (name: string, value: typeof x) => ({ name, value });
  const outputs = [named('plain', plain), named('blocked', toChannelsFirst(g, blocked))];
  const session = Session.create(functionModel('probe', [named('x', x), named('filter', filter)], outputs, metadata));
  const numbers = (shape: readonly number[]): NdArray => {
    // small integers: products and sums are exact, whatever their order
    const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => ((i * 7) % 11) - 5);
    return { dtype: 'float32', shape, data };
  };
  const found: NdArrays = session.runSync({ x: numbers(x.shape), filter: numbers(filter.shape) });
  session.dispose();
  const [expected, got] = [found.plain!.data, found.blocked!.data];
  return expected.some((value) => value !== 0) && expected.every((value, i) => value === got[i]);
}

function probe(): number | undefined {
  try {
    const block = inferredBlock();
    return (block === 8 || block === 16) && computes(block) ? block : undefined;
  } catch {
    // another release of ONNX Runtime may have other operators: steps are then computed without blocks
    return undefined;
  }
}

let known: { readonly block: number | undefined } | undefined;

/** Channels of a block on this processor; undefined where convolutions in blocks do not work. Found out once per process. */
export function blockSize(): number | undefined {
  known ??= { block: probe() };
  return known.block;
}
