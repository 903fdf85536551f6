/** What a model that restores pictures trains on: crops in squares of pixels, and where there are holes a mask with one at a seeded place. */

import type { Pictures } from '../../data/dataset.ts';
import { type RestorationNetwork, restorationRowSize } from '../../models/restoration.ts';
import { type Draw, DrawnCrops, type DrawnFrom, turned } from './drawn-crops.ts';

export interface RestorationCropOptions extends DrawnFrom {
  readonly network: RestorationNetwork;
  /** pixels of a crop's side */
  readonly side: number;
  /** pixels of a hole's side; 0: no holes */
  readonly hole: number;
}

export class RestorationCrops extends DrawnCrops {
  readonly #options: RestorationCropOptions;

  constructor(options: RestorationCropOptions) {
    super(options, restorationRowSize(options.network, options.side / options.network.options.stride));
    this.#options = options;
  }

  protected async crop(pictures: Pictures, index: number, at: Draw, out: Float32Array): Promise<void> {
    const { side, hole, network } = this.#options;
    const { channels, stride } = network.options;
    const size = pictures.size(index);
    const height = Math.min(side, size.height);
    const width = Math.min(side, size.width);
    const area = { top: at(1, size.height - height + 1), left: at(2, size.width - width + 1), height, width };
    const { data, channels: step } = turned(await pictures.read(index, area), at(3, 2) === 1, at(4, 2) === 1);
    const [top, left] = [at(5, side - hole + 1), at(6, side - hole + 1)];
    const isTransposed = at(7, 2) === 1;
    const perRow = side / stride;
    const places = stride ** 2;
    const masks = perRow ** 2 * network.values;
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const square = Math.floor(y / stride) * perRow + Math.floor(x / stride);
        const place = (y % stride) * stride + (x % stride);
        // A picture that is smaller than a crop goes on with its last row and column.
        const [row, column] = isTransposed ? [x, y] : [y, x];
        const pixel = (Math.min(row, height - 1) * width + Math.min(column, width - 1)) * step;
        const to = square * network.values + place * channels;
        for (let c = 0; c < channels; c++) out[to + c] = (data[pixel + c] as number) / 255;
        if (hole > 0) {
          const isInside = y >= top && y < top + hole && x >= left && x < left + hole;
          out[masks + square * places + place] = isInside ? 0 : 1;
        }
      }
    }
  }
}
