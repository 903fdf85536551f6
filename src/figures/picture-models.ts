/** Reports of models of pictures of any size: a codec's bits and PSNR beside JPEG and WebP, a restorer's PSNR of damaged and restored pictures. */

import type { Corruption } from '../jobspec/model.ts';
import { el, type Markup } from './markup.ts';
import { note, type Section, section, table } from './parts.ts';
import { ratePlot } from './plot.ts';
import type { ReportFiles } from './rows.ts';

/** Means over the same pictures at one quality. */
export interface CodecPoint {
  readonly quality: number;
  readonly bpp: number;
  readonly psnr: number;
}

/** report.json of a codec. */
export interface CodecReport {
  readonly schema: 1;
  readonly kind: 'picture';
  readonly model: string;
  /** that the codec was not trained on */
  readonly pictures: number;
  /** by codec, the model's own name first */
  readonly curves: Readonly<Record<string, readonly CodecPoint[]>>;
}

/** report.json of a model that restores pictures. */
export interface RestorationReport {
  readonly schema: 1;
  readonly kind: 'restoration';
  readonly model: string;
  readonly corruption: Corruption;
  /** that the model was not trained on */
  readonly pictures: number;
  /** dB over all pictures' values, of holes over what is inside of them */
  readonly metrics: Readonly<Record<'test.psnr' | 'test.damaged.psnr', number>>;
}

export type PictureModelReport = CodecReport | RestorationReport;

/** Parts of test pictures in several versions, in a file of the version. */
export const partsFile = 'pictures.png';

export interface PictureModelBody {
  /** what the figures are of */
  readonly lead: string;
  readonly verdict: readonly string[];
  /** whether it falls behind what it is compared with */
  readonly isBehind: boolean;
  readonly sections: readonly Section[];
}

export const pictureModelBody = (
  report: PictureModelReport,
  files: Pick<ReportFiles, 'addressOf'>,
): PictureModelBody => (report.kind === 'picture' ? codec(report, files) : restorer(report, files));

function codec({ model, pictures, curves }: CodecReport, files: Pick<ReportFiles, 'addressOf'>): PictureModelBody {
  const axes = { xLabel: 'bits a pixel', yLabel: 'PSNR, dB' };
  const plot = ratePlot(
    Object.entries(curves).map(([name, points], i) => ({
      ...{ name, colour: i === 0 ? 1 : 5 + i, isDashed: i > 0 },
      points: points.map(({ bpp, psnr }) => [bpp, psnr] as const),
    })),
    { ...axes, label: `PSNR against bits a pixel: ${Object.keys(curves).join(', ')}` },
  );
  const qualities = table(
    'codec',
    [{ name: 'quality' }, { name: 'bits a pixel' }, { name: 'PSNR, dB' }],
    Object.entries(curves).flatMap(([name, points]) =>
      points.map(({ quality, bpp, psnr }) => ({
        name,
        cells: [{ content: quality }, { content: bpp.toFixed(3) }, { content: psnr.toFixed(2) }],
      })),
    ),
  );
  return {
    lead: `A codec for pictures of any size. Figures are means over ${pictures} pictures that it was not trained on; bytes are those of whole frames and files.`,
    ...besideWebp(curves[model] ?? [], curves.WebP ?? []),
    sections: [
      section('Bytes and quality', plot, el('details', {}, el('summary', {}, 'Each quality'), qualities)),
      ...parts(
        'From the top: as they are; through a frame of this model; through WebP in at least as many bytes.',
        files,
      ),
    ],
  };
}

/** Bits a pixel that a codec takes for a PSNR, between its points; undefined where it does not reach so far. */
export function bitsAt(points: readonly CodecPoint[], psnr: number): number | undefined {
  const sorted = [...points].sort((a, b) => a.psnr - b.psnr);
  const above = sorted.findIndex((one) => one.psnr >= psnr);
  const [from, to] = [sorted[above - 1], sorted[above]];
  if (!from || !to) return undefined;
  const share = (psnr - from.psnr) / (to.psnr - from.psnr);
  return Math.exp(Math.log(from.bpp) + share * (Math.log(to.bpp) - Math.log(from.bpp)));
}

type Verdict = Pick<PictureModelBody, 'verdict' | 'isBehind'>;

function besideWebp(own: readonly CodecPoint[], webp: readonly CodecPoint[]): Verdict {
  const middle = own[own.length >> 1];
  const other = middle && bitsAt(webp, middle.psnr);
  if (!middle || other === undefined) return { verdict: [], isBehind: false };
  const percent = Math.round(100 * (middle.bpp / other - 1));
  return {
    verdict: [
      `${Math.abs(percent)} % ${percent <= 0 ? 'fewer' : 'more'} bytes than WebP at ${middle.psnr.toFixed(1)} dB.`,
      `${middle.bpp.toFixed(2)} bits a pixel; WebP needs ${other.toFixed(2)}.`,
    ],
    isBehind: percent > 0,
  };
}

function restorer(
  { corruption, pictures, metrics }: RestorationReport,
  files: Pick<ReportFiles, 'addressOf'>,
): PictureModelBody {
  const inside = corruption.type === 'hole' ? ', of what is inside of the holes' : '';
  const [restored, damaged] = [metrics['test.psnr'], metrics['test.damaged.psnr']];
  const gain = restored - damaged;
  return {
    lead: `Restores pictures of any size with ${damageOf(corruption)}. Figures are means over ${pictures} pictures that it was not trained on${inside}.`,
    verdict: [
      gain >= 0
        ? `${restored.toFixed(1)} dB, +${gain.toFixed(1)} dB over the damaged pictures.`
        : `${restored.toFixed(1)} dB, ${(-gain).toFixed(1)} dB below the damaged pictures.`,
    ],
    isBehind: gain < 0,
    sections: parts('From the top: as they are, damaged, restored.', files),
  };
}

function parts(lines: string, { addressOf }: Pick<ReportFiles, 'addressOf'>): Section[] {
  const address = addressOf(partsFile);
  if (address === undefined) return [];
  const picture: Markup = el('img', { src: address, alt: 'parts of pictures in three versions' });
  return [section('Parts of pictures', note(lines), el('p', {}, picture))];
}

const round = (value: number): number => Math.round(100 * value) / 100;

function damageOf(corruption: Corruption): string {
  switch (corruption.type) {
    case 'gaussian':
      return `Gaussian noise of σ = ${round(255 * corruption.sigma)} of 255`;
    case 'masking':
      return `${round(100 * corruption.probability)} % of the values missing`;
    case 'salt-and-pepper':
      return `${round(100 * corruption.probability)} % of the values black or white`;
    case 'hole':
      return `holes of ${corruption.size} × ${corruption.size} pixels`;
    default:
      return corruption satisfies never;
  }
}
