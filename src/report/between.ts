/**
 * Pictures that no data set holds, for the report of a model of pictures: what lies between the codes of two test rows, and what codes drawn
 * from the prior decode to, where the model has one.
 */

import { type Shape, sizeOf } from '../base/ndarray.ts';
import { RandomStream } from '../base/random.ts';
import type { JobSpec } from '../jobspec/job.ts';
import { isPicture, pictureGrid } from './grid.ts';
import type { Reconstruction } from './reconstruction.ts';

/** PNGs; absent where the model has nothing of the kind. */
export interface NewPictures {
  /** a line for each pair of test rows: the first one, what is decoded on the way, the second one */
  readonly interpolations?: Uint8Array;
  readonly samples?: Uint8Array;
}

const pairs = 4;
const steps = 8;
const lines = 4;
const columns = 10;

export interface NewPicturesOptions {
  readonly spec: JobSpec;
  readonly model: Reconstruction;
  readonly shape: Shape;
  readonly codeShape: Shape;
  readonly range: readonly [number, number];
  /** test rows, the first ones */
  readonly rows: Float32Array;
}

export async function newPictures(options: NewPicturesOptions): Promise<NewPictures> {
  const { spec, shape, codeShape } = options;
  const { encode, decode } = options.model;
  // Places of the largest values, which are part of a code with switches, have nothing between them.
  const hasSwitches = 'unpooling' in spec.model && spec.model.unpooling === 'switches';
  if (!isPicture(shape) || codeShape.length !== 1 || hasSwitches || !encode || !decode) return {};
  const interpolations = await interpolate(options, encode, decode);
  const samples = spec.model.type === 'variational' ? await draw(options, decode) : undefined;
  return { ...(interpolations && { interpolations }), ...(samples && { samples }) };
}

type Coder = (values: Float32Array, count: number) => Promise<Float32Array>;

/** Codes on a straight line, in equal steps. */
async function interpolate(
  { rows, shape, codeShape, range }: NewPicturesOptions,
  encode: Coder,
  decode: Coder,
): Promise<Uint8Array | undefined> {
  const [size, code] = [sizeOf(shape), sizeOf(codeShape)];
  const count = Math.min(pairs, Math.floor(rows.length / size / 2));
  if (count === 0) return undefined;
  const ends = rows.slice(0, 2 * count * size);
  const codes = await encode(ends, 2 * count);
  const between = new Float32Array(count * steps * code);
  for (let pair = 0; pair < count; pair++) {
    for (let step = 0; step < steps; step++) {
      const share = (step + 1) / (steps + 1);
      for (let j = 0; j < code; j++) {
        const [from = 0, to = 0] = [codes[2 * pair * code + j], codes[(2 * pair + 1) * code + j]];
        between[(pair * steps + step) * code + j] = (1 - share) * from + share * to;
      }
    }
  }
  const decoded = await decode(between, count * steps);
  const shown = Array.from({ length: count }, (_, pair) => {
    const line = new Float32Array((steps + 2) * size);
    line.set(ends.subarray(2 * pair * size, (2 * pair + 1) * size));
    line.set(decoded.subarray(pair * steps * size, (pair + 1) * steps * size), size);
    line.set(ends.subarray((2 * pair + 1) * size, (2 * pair + 2) * size), (steps + 1) * size);
    return line;
  });
  return pictureGrid(shown, steps + 2, shape, range);
}

/** The same codes for each model of the same seed. */
async function draw({ spec, shape, codeShape, range }: NewPicturesOptions, decode: Coder): Promise<Uint8Array> {
  const count = lines * columns;
  const codes = new RandomStream(spec.training.seed, 'report/samples').normal(
    new Float32Array(count * sizeOf(codeShape)),
  );
  const rows = await decode(codes, count);
  const width = columns * sizeOf(shape);
  const each = Array.from({ length: lines }, (_, line) => rows.subarray(line * width, (line + 1) * width));
  return pictureGrid(each, columns, shape, range);
}
