/**
 * Contexts and tables of a transform, from pictures of the kind that it is for. Quantise, fit the weights of the contexts, count
 * symbols under them, make tables; then again with symbols that were chosen with those tables.
 */

import { constantTable, type FrequencyTable, fitTable } from '../frequency-table.ts';
import { countClass, countClasses, countLevelOf, TileContexts } from './contexts.ts';
import type { Transform } from './fit-transform.ts';
import { NormalEquations } from './least-squares.ts';
import {
  type Band,
  coefficientsOf,
  contextLevels,
  countLevels,
  features,
  groupOf,
  groups,
  lastGroup,
  mostMagnitude,
  type PictureCodec,
  shiftClasses,
  stepUnits,
} from './picture-codec.ts';
import { quantiseTile } from './quantise.ts';
import { codedCount, Predictor, type TileSymbols } from './tile-coder.ts';
import { coefficientScale } from './transform.ts';

/** Coefficients of a picture or of a part of one, as `analyse` gives them. */
export interface Analysed {
  readonly width: number;
  readonly height: number;
  readonly coefficients: Int32Array;
}

export interface BandOptions {
  readonly step: number;
  /** squared error in squared steps that a bit is worth, for the symbols that tables are made from; see `quantiseTile` */
  readonly trade: number;
}

/** Deterministic: the same pictures give the same band. */
export function fitBand(transform: Transform, samples: readonly Analysed[], { step, trade }: BandOptions): Band {
  let band = firstBand(transform, step);
  for (const round of [0, trade]) {
    const codec: PictureCodec = { ...transform, bands: [band] };
    const tiles = samples.map(({ coefficients, ...shape }) =>
      quantiseTile(codec, band, coefficients, shape, { step, trade: round }),
    );
    band = { ...band, ...fitWeights(codec, band, tiles) };
    band = { ...band, ...countTables(codec, band, tiles), shifts: fitShifts(codec, samples, tiles, step) };
  }
  return band;
}

/** Weights and tables that mean nothing yet: symbols of the first round are rounded without them. */
function firstBand(transform: Transform, step: number): Band {
  const size = coefficientsOf(transform);
  return {
    step,
    weights: new Int16Array(size * features),
    floors: new Uint16Array(size).fill(16),
    tables: Array.from({ length: groups * contextLevels }, () => constantTable(0)),
    countWeights: Int16Array.of(128, 128, 0, 0, 0),
    countTables: Array.from({ length: countLevels }, () => constantTable(0)),
    shifts: new Int8Array((groups - 1) * shiftClasses),
  };
}

/** Visits the coded symbols of tiles with their contexts. */
function visit(
  codec: PictureCodec,
  band: Band,
  tiles: readonly TileSymbols[],
  see: {
    count?(contexts: TileContexts, count: number): void;
    symbol(contexts: TileContexts, k: number, value: number): void;
  },
): void {
  const size = coefficientsOf(codec);
  for (const tile of tiles) {
    const contexts = new TileContexts(codec, band, tile.width);
    const predictor = new Predictor(codec, tile);
    for (let row = 0, at = 0; row < tile.height; row++) {
      for (let column = 0; column < tile.width; column++, at += size) {
        predictor.at(row, column);
        const count = codedCount(tile.symbols, at, size, predictor.values);
        see.count?.(contexts, count);
        contexts.begin(count);
        for (let k = 0; k < count; k++) {
          const value = (tile.symbols[at + k] as number) - (predictor.values[k] as number);
          see.symbol(contexts, k, value);
          contexts.set(k, value);
        }
        contexts.end();
      }
    }
  }
}

const int16 = (value: number): number => Math.max(-32_768, Math.min(32_767, Math.round(value)));

/**
 * Expected magnitudes by weighted least squares, twice: the second time large magnitudes, which scatter more, count less. Weights
 * of coefficients that were coded seldom stay small by the ridge.
 */
function fitWeights(
  codec: PictureCodec,
  band: Band,
  tiles: readonly TileSymbols[],
): Pick<Band, 'weights' | 'floors' | 'countWeights'> {
  const size = coefficientsOf(codec);
  const inputs = new Float64Array(features);
  const counts = new Float64Array(5);
  const means = new Float64Array(size);
  const seen = new Float64Array(size);
  let fitted: Float64Array[] | undefined;
  const countEquations = new NormalEquations(5);
  for (const isFirst of [true, false]) {
    const equations = Array.from({ length: size }, () => new NormalEquations(features));
    visit(codec, band, tiles, {
      count(contexts, count) {
        if (!isFirst) return;
        contexts.countInputs(counts);
        countEquations.add(counts, count, 1);
      },
      symbol(contexts, k, value) {
        contexts.inputs(k, inputs);
        const magnitude = Math.min(mostMagnitude, Math.abs(value));
        if (isFirst) {
          means[k] = (means[k] as number) + magnitude;
          seen[k] = (seen[k] as number) + 1;
        }
        const before = fitted?.[k];
        let weight = 1;
        if (before) {
          let expected = 0;
          for (let i = 0; i < features; i++) expected += (before[i] as number) * (inputs[i] as number);
          weight = 1 / (Math.max(expected, 0.02) + 0.05) ** 2;
        }
        (equations[k] as NormalEquations).add(inputs, magnitude, weight);
      },
    });
    fitted = equations.map((equation) =>
      equation.observations > 50
        ? equation.solve(1e-3)
        : Float64Array.from({ length: features }, (_, i) => (i === features - 1 ? 0.5 : 0)),
    );
  }
  const weights = new Int16Array(size * features);
  for (const [k, w] of (fitted ?? []).entries())
    for (let i = 0; i < features; i++) weights[k * features + i] = int16(4096 * (w[i] as number));
  const floors = Uint16Array.from(means, (sum, k) =>
    Math.max(16, Math.min(4096, 4096 * (0.05 * (sum / Math.max(1, seen[k] as number)) + 1e-4))),
  );
  const countFit = countEquations.solve(1e-3);
  const countWeights = Int16Array.from(countFit, (w, i) => int16(i < 4 ? 256 * w : 4 * w));
  return { weights, floors, countWeights };
}

/** Symbols up to this magnitude are counted one by one. */
const reach = 40;

function countTables(
  codec: PictureCodec,
  band: Band,
  tiles: readonly TileSymbols[],
): Pick<Band, 'tables' | 'countTables'> {
  const width = 2 * reach + 1;
  const histogram = new Float64Array(groups * contextLevels * width);
  const counts = new Float64Array(countLevels * countClasses);
  visit(codec, band, tiles, {
    count(contexts, count) {
      const at = countLevelOf(contexts.expectedCount()) * countClasses + countClass(count)[0];
      counts[at] = (counts[at] as number) + 1;
    },
    symbol(contexts, k, value) {
      const at = contexts.tableOf(k) * width + Math.max(-reach, Math.min(reach, value)) + reach;
      histogram[at] = (histogram[at] as number) + 1;
    },
  });
  const tables = Array.from({ length: groups * contextLevels }, (_, i) =>
    symbolTable(
      histogram.subarray(i * width, (i + 1) * width),
      i % contextLevels,
      Math.floor(i / contextLevels) === lastGroup,
    ),
  );
  return { tables, countTables: Array.from({ length: countLevels }, (_, level) => countTable(counts, level)) };
}

/** How many made-up symbols of a two-sided geometric distribution with the expected magnitude each table begins with. */
const priorWeight = 12;

/** Signs are equally likely. */
function symbolTable(counts: Float64Array, level: number, isLast: boolean): FrequencyTable {
  const expected = 2 ** ((level + 16 + 0.5) / 4) / 4096;
  const theta = (Math.sqrt(1 + expected * expected) - 1) / expected;
  const weights = new Float64Array(reach + 1);
  let sum = 0;
  for (let m = 0; m <= reach; m++) {
    const seen =
      m === 0 ? (counts[reach] as number) : ((counts[reach + m] as number) + (counts[reach - m] as number)) / 2;
    const prior = isLast && m === 0 ? 0 : ((1 - theta) / (1 + theta)) * theta ** m;
    weights[m] = seen + priorWeight * prior;
    sum += (m === 0 ? 1 : 2) * (weights[m] as number);
  }
  let most = reach;
  let beyond = 2 * (weights[reach] as number);
  while (most > 2 && beyond + 2 * (weights[most - 1] as number) < 0.002 * sum)
    beyond += 2 * (weights[--most] as number);
  const side = Array.from(weights.subarray(1, most));
  return fitTable(-(most - 1), [...side.slice().reverse(), weights[0] as number, ...side], beyond + 1e-3);
}

function countTable(counts: Float64Array, level: number): FrequencyTable {
  const weights = Array.from({ length: countClasses }, (_, i) => {
    let weight = 0.05;
    for (const [near, share] of [
      [level, 1],
      [level - 1, 0.02],
      [level + 1, 0.02],
    ] as const) {
      if (near >= 0 && near < countLevels) weight += share * (counts[near * countClasses + i] as number);
    }
    return weight;
  });
  return fitTable(0, weights, 0);
}

/** The mean of what quantising took from magnitudes of 1, 2, and 3 or more, by group. */
function fitShifts(
  codec: PictureCodec,
  samples: readonly Analysed[],
  tiles: readonly TileSymbols[],
  step: number,
): Int8Array {
  const size = coefficientsOf(codec);
  const unit = (stepUnits(step) * coefficientScale) / 16;
  const sums = new Float64Array((groups - 1) * shiftClasses);
  const seen = new Float64Array((groups - 1) * shiftClasses);
  for (const [i, { symbols }] of tiles.entries()) {
    const { coefficients } = samples[i] as Analysed;
    for (let j = 0; j < symbols.length; j++) {
      const symbol = symbols[j] as number;
      if (symbol === 0) continue;
      const magnitude = Math.abs(symbol);
      const at = groupOf(j % size, codec.channels) * shiftClasses + Math.min(magnitude, shiftClasses) - 1;
      const value = (coefficients[j] as number) / unit;
      sums[at] = (sums[at] as number) + (symbol < 0 ? -value : value) - magnitude;
      seen[at] = (seen[at] as number) + 1;
    }
  }
  return Int8Array.from(sums, (sum, i) =>
    Math.max(-127, Math.min(127, Math.round((256 * sum) / Math.max(20, seen[i] as number)))),
  );
}
