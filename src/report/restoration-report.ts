/** The report of a model that restores pictures: PSNR of damaged and restored pictures that no training saw, and parts of them. */

import { type DamagedPicture, damagePicture } from '../data/damage.ts';
import type { WholePicture } from '../data/image.ts';
import { partsFile, type RestorationReport } from '../figures/picture-models.ts';
import type { Corruption } from '../jobspec/model.ts';
import { pictureGrid } from './grid.ts';
import { pictureModelHtml } from './html.ts';

export interface RestorationReportOptions {
  readonly name: string;
  readonly corruption: Corruption;
  readonly pictures: readonly WholePicture[];
  readonly restore: (damaged: DamagedPicture) => Promise<WholePicture>;
  readonly tick: () => void;
}

export interface RestorationEvaluation {
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly metrics: RestorationReport['metrics'];
}

const shownPictures = 6;
const cropSide = 128;

export async function restorationReport(options: RestorationReportOptions): Promise<RestorationEvaluation> {
  const { name, corruption, pictures, restore, tick } = options;
  const lines: number[][] = [[], [], []];
  const side = Math.min(cropSide, ...pictures.map(({ width, height }) => Math.min(width, height)));
  let [damagedPsnr, restoredPsnr] = [0, 0];
  for (const [i, picture] of pictures.entries()) {
    tick();
    const damaged = damagePicture(picture, corruption, `report/${i}`);
    const restored = await restore(damaged);
    damagedPsnr += decibels(picture, damaged.raster, damaged.holes) / pictures.length;
    restoredPsnr += decibels(picture, restored, damaged.holes) / pictures.length;
    if (i >= shownPictures) continue;
    for (const [j, form] of [picture, damaged.raster, restored].entries()) lines[j]?.push(...middleOf(form, side));
  }
  const metrics = { 'test.psnr': round(restoredPsnr), 'test.damaged.psnr': round(damagedPsnr) };
  const shape = [side, side, pictures[0]?.channels ?? 3];
  const rows = lines.map((line) => Float32Array.from(line));
  const parts = await pictureGrid(rows, Math.min(shownPictures, pictures.length), shape, [0, 255]);
  const report: RestorationReport = {
    ...{ schema: 1, kind: 'restoration', model: name, corruption, pictures: pictures.length, metrics },
  };
  return {
    metrics,
    files: {
      'report.json': Buffer.from(`${JSON.stringify(report, null, 2)}\n`),
      'report.html': Buffer.from(pictureModelHtml(report, parts)),
      [partsFile]: parts,
    },
  };
}

const round = (value: number): number => Math.round(100 * value) / 100;

/** dB of 8-bit values, with `where` only of pixels that are 1 there; 99 where nothing differs. */
export function decibels(wanted: WholePicture, found: WholePicture, where?: Uint8Array): number {
  let [squares, count] = [0, 0];
  const { channels } = found;
  for (let i = 0; i < wanted.width * wanted.height; i++) {
    if (where?.[i] === 0) continue;
    count += channels;
    for (let c = 0; c < channels; c++) {
      squares += ((wanted.data[i * wanted.channels + c] as number) - (found.data[i * channels + c] as number)) ** 2;
    }
  }
  return squares === 0 ? 99 : 10 * Math.log10((255 ** 2 * count) / squares);
}

function middleOf({ width, height, channels, data }: WholePicture, side: number): number[] {
  const out: number[] = [];
  const [top, left] = [(height - side) >> 1, (width - side) >> 1];
  for (let y = 0; y < side; y++) {
    const from = ((top + y) * width + left) * channels;
    out.push(...data.subarray(from, from + side * channels));
  }
  return out;
}
