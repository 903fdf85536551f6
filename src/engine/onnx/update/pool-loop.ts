/**
 * The gradient of a 2×2 max-pool in one pass: a window's gradient goes to its first largest value. A window lies in two rows of
 * an image, so a row of windows needs the two rows, the gradients of its windows, and no other:
 *
 *   a b    largest of the row above, of the row below, of both; the first wins where two are equal
 *   c d
 */

import type { PoolGradient } from '../ops/pooling.ts';
import type { Layout } from './kernel.ts';
import { type Local, UpdateFunction } from './wasm.ts';

const lanes = 4;
/** Windows of a row up to which the pass over a row is written out. */
const widest = 128;

/** Whether a row of windows can be taken four at a time; the last four may overlap those before. In blocks four channels are. */
export function fitsLoop({ dy, block }: PoolGradient): boolean {
  const windows = dy.shape.at(-1) as number;
  return block !== undefined || (windows >= lanes && windows <= widest);
}

/** Four consecutive windows beginning with number `window`, for each fourth window of a row. */
function startsOf(windows: number): number[] {
  const starts = Array.from({ length: Math.floor(windows / lanes) }, (_, i) => i * lanes);
  return windows % lanes ? [...starts, windows - lanes] : starts;
}

export function poolFunction(pass: PoolGradient, layout: Layout): UpdateFunction {
  return pass.block === undefined ? ofPlanes(pass, layout) : ofBlocks(pass, layout, pass.block);
}

/** Images in blocks of channels: four channels of a window at a time. */
function ofBlocks(pass: PoolGradient, layout: Layout, block: number): UpdateFunction {
  const { gradient, dy, input, stepped, imagesInside } = pass;
  const f = new UpdateFunction();
  const [batch, channels, height, windows] = dy.shape as [number, number, number, number];
  const pixelBytes = 4 * block;
  const rowBytes = 2 * windows * pixelBytes;
  const [x, dx, given] = [layout.addressOf(input), layout.addressOf(gradient), layout.addressOf(dy)];
  const zero = f.constant(0);
  const rows = batch * (channels / block) * height;
  const step = { count: windows, wide: 2 * pixelBytes, narrow: pixelBytes };
  // written with the images of a block beside each other, pixels are that many times as far apart
  const apart = imagesInside ? block : 1;
  const [right, down] = [apart * pixelBytes, apart * rowBytes];
  const planeBytes = 2 * height * down;
  const digits = [
    { below: height, bytes: 2 * down },
    { below: channels / block, bytes: planeBytes },
    { below: block, bytes: pixelBytes },
  ];
  const target = { digits, first: (channels / block) * planeBytes, step: 2 * right };
  f.rowsOfSteps(
    rows,
    { wide: 2 * rowBytes, narrow: windows * pixelBytes },
    step,
    (at) => {
      for (let lane = 0; lane < pixelBytes; lane += 4 * lanes) {
        const [a, b] = [at.wide(x + lane), at.wide(x + lane + pixelBytes)];
        const [c, d] = [at.wide(x + lane + rowBytes), at.wide(x + lane + rowBytes + pixelBytes)];
        const [above, below] = [f.compute('pseudoMax', a, b), f.compute('pseudoMax', c, d)];
        const all = at.narrow(given + lane);
        const share = stepped
          ? f.compute('and', all, f.compute('gt', f.compute('pseudoMax', above, below), zero))
          : all;
        const isAbove = f.compute('ge', above, below);
        const [toAbove, toBelow] = [f.compute('and', share, isAbove), f.compute('andNot', share, isAbove)];
        const [isA, isC] = [f.compute('ge', a, b), f.compute('ge', c, d)];
        at.store(dx + lane, f.compute('and', toAbove, isA));
        at.store(dx + lane + right, f.compute('andNot', toAbove, isA));
        at.store(dx + lane + down, f.compute('and', toBelow, isC));
        at.store(dx + lane + down + right, f.compute('andNot', toBelow, isC));
      }
    },
    imagesInside ? target : undefined,
  );
  return f;
}

/** NCHW images: four windows of a row at a time. */
function ofPlanes({ gradient, dy, input, stepped }: PoolGradient, layout: Layout): UpdateFunction {
  const f = new UpdateFunction();
  const [batch, channels, height, windows] = dy.shape as [number, number, number, number];
  const rowBytes = 2 * windows * 4;
  const [x, dx, given] = [layout.addressOf(input), layout.addressOf(gradient), layout.addressOf(dy)];
  const zero = f.constant(0);
  f.rows(batch * channels * height, { wide: 2 * rowBytes, narrow: 4 * windows }, (at) => {
    /** values of even and of odd columns */
    const columns = (address: number): [Local, Local] => {
      const [low, high] = [at.wide(address), at.wide(address + 16)];
      return [f.shuffle(low, high, [0, 2, 4, 6]), f.shuffle(low, high, [1, 3, 5, 7])];
    };
    const putColumns = (address: number, even: Local, odd: Local): void => {
      at.store(address, f.shuffle(even, odd, [0, 4, 1, 5]));
      at.store(address + 16, f.shuffle(even, odd, [2, 6, 3, 7]));
    };
    for (const start of startsOf(windows)) {
      const [a, b] = columns(x + 8 * start);
      const [c, d] = columns(x + 8 * start + rowBytes);
      const [above, below] = [f.compute('pseudoMax', a, b), f.compute('pseudoMax', c, d)];
      const all = at.narrow(given + 4 * start);
      const share = stepped ? f.compute('and', all, f.compute('gt', f.compute('pseudoMax', above, below), zero)) : all;
      const isAbove = f.compute('ge', above, below);
      const [toAbove, toBelow] = [f.compute('and', share, isAbove), f.compute('andNot', share, isAbove)];
      const isA = f.compute('ge', a, b);
      putColumns(dx + 8 * start, f.compute('and', toAbove, isA), f.compute('andNot', toAbove, isA));
      const isC = f.compute('ge', c, d);
      putColumns(dx + 8 * start + rowBytes, f.compute('and', toBelow, isC), f.compute('andNot', toBelow, isC));
    }
  });
  return f;
}
