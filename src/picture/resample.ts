/**
 * Separable resampling as Pillow defines it: each output value is a weighted mean of the input values around its centre, and
 * the filter is widened by the reduction factor, so that nothing aliases. Takes one line of input at a time.
 */

export type Filter = 'triangle' | 'lanczos3';

const filters: Readonly<Record<Filter, { readonly support: number; readonly weight: (x: number) => number }>> = {
  triangle: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  lanczos3: { support: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** The part of an axis that is resampled, in input pixels; it may begin and end within a pixel. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** For each output position: the first input position, and the weights from there on, whose sum is 1. */
interface Taps {
  readonly first: Int32Array;
  readonly weights: readonly Float64Array[];
}

function tapsOf(inputs: number, { from, to }: Span, outputs: number, filter: Filter): Taps {
  const { support, weight } = filters[filter];
  const scale = (to - from) / outputs;
  const stretch = Math.max(1, scale);
  const first = new Int32Array(outputs);
  const weights = Array.from({ length: outputs }, (_, i) => {
    const centre = from + (i + 0.5) * scale;
    const start = Math.max(0, Math.floor(centre - support * stretch + 0.5));
    const end = Math.max(start + 1, Math.min(inputs, Math.floor(centre + support * stretch + 0.5)));
    first[i] = start;
    const own = Float64Array.from({ length: end - start }, (_, j) => weight((start + j + 0.5 - centre) / stretch));
    const sum = own.reduce((a, b) => a + b, 0);
    return own.map((value) => value / sum);
  });
  return { first, weights };
}

export interface ResampleOptions {
  /** of the input, in pixels */
  readonly width: number;
  readonly height: number;
  /** values of a pixel */
  readonly planes: number;
  readonly columns: Span;
  readonly rows: Span;
  /** of the output */
  readonly outWidth: number;
  readonly outHeight: number;
  readonly filter: Filter;
}

export class Resampler {
  /** outHeight × outWidth × planes, complete when every line was added */
  readonly output: Float64Array;
  /** input lines that count: [from, to) */
  readonly lines: Span;
  readonly #options: ResampleOptions;
  readonly #across: Taps;
  readonly #down: Taps;
  readonly #line: Float64Array;

  constructor(options: ResampleOptions) {
    const { width, height, planes, columns, rows, outWidth, outHeight, filter } = options;
    this.#options = options;
    this.#across = tapsOf(width, columns, outWidth, filter);
    this.#down = tapsOf(height, rows, outHeight, filter);
    this.#line = new Float64Array(outWidth * planes);
    this.output = new Float64Array(outHeight * outWidth * planes);
    const { first, weights } = this.#down;
    const ends = weights.map((own, i) => (first[i] as number) + own.length);
    this.lines = { from: first[0] ?? 0, to: Math.max(0, ...ends) };
  }

  /** `values` of line `y`, width × planes. */
  add(y: number, values: Float64Array): void {
    const line = this.#resampleLine(values);
    const { first, weights } = this.#down;
    for (let i = 0; i < first.length; i++) {
      const weight = weights[i]?.[y - (first[i] as number)];
      if (weight === undefined) continue;
      const to = i * line.length;
      for (let j = 0; j < line.length; j++) {
        this.output[to + j] = (this.output[to + j] as number) + weight * (line[j] as number);
      }
    }
  }

  #resampleLine(values: Float64Array): Float64Array {
    const { planes, outWidth } = this.#options;
    const { first, weights } = this.#across;
    for (let x = 0; x < outWidth; x++) {
      const own = weights[x] as Float64Array;
      const from = (first[x] as number) * planes;
      for (let plane = 0; plane < planes; plane++) {
        let sum = 0;
        for (let j = 0, at = from + plane; j < own.length; j++, at += planes) {
          sum += (own[j] as number) * (values[at] as number);
        }
        this.#line[x * planes + plane] = sum;
      }
    }
    return this.#line;
  }
}
