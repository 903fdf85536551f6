// codec.md: the bars with what was reached, then all curves.
import type { JobSpec } from '../../src/jobspec/job.ts';
import { type Bar, bytesAt, cheapest, type Rate, verdict } from './bars.ts';
import { type PicturePoint, singleRows } from './pictures.ts';
import type { Point } from './points.ts';

export interface Curves {
  readonly dataset: string;
  readonly rows: number;
  readonly learned: readonly {
    readonly name: string;
    readonly spec: JobSpec;
    readonly trainingSeconds: number;
    readonly points: readonly Point[];
    /** milliseconds a picture */
    readonly costs: { readonly single: number; readonly batch: number; readonly search: number };
  }[];
  readonly components: number;
  readonly linear: readonly Point[];
  readonly pictures: readonly PicturePoint[];
}

type Framing = 'batch' | 'single';

const ratesOf = (points: readonly Point[], framing: Framing): Rate[] =>
  points.map((point) => ({ bytes: point[framing], psnr: point.psnr }));

function learnedRates({ learned }: Curves, framing: Framing, searched: boolean): Rate[] {
  return ratesOf(
    learned.flatMap(({ points }) => points.filter((point) => searched || !point.searched)),
    framing,
  );
}

const pictureRates = ({ pictures }: Curves, framing: Framing): Rate[][] =>
  [...new Set(pictures.map(({ format }) => format))].map((format) =>
    pictures.filter((point) => point.format === format && point.tiled === (framing === 'batch')),
  );

const sizeBars: readonly [
  set: string,
  title: string,
  framing: Framing,
  searched: boolean,
  psnr: number,
  limit: number,
][] = [
  ['mnist', 'batch frames of 64', 'batch', false, 22.1, 11.5],
  ['mnist', 'batch frames of 64', 'batch', false, 25.1, 23.5],
  ['mnist', 'compact frames of one', 'single', false, 22.1, 14],
  ['mnist', 'compact frames of one', 'single', false, 25.1, 27],
  ['mnist', 'compact frames of one, with the search', 'single', true, 22.1, 14],
  ['mnist', 'compact frames of one, with the search', 'single', true, 25.1, 27],
  ['mnist', 'batch frames of 64, with the search', 'batch', true, 22, 9],
  ['mnist', 'batch frames of 64, with the search', 'batch', true, 25, 16],
  ['fashion-mnist', 'batch frames of 64', 'batch', false, 20.6, 10],
];

/** The middle one: finer and coarser ones are around it. */
const trainedQuality = 4;

/** Bytes that a frame of 64 or of one may take at the PSNR of each size bar, as a share of others' at the same PSNR. */
function barsOf(curves: Curves): Bar[] {
  const bars: Bar[] = [];
  for (const [set, title, framing, searched, psnr, limit] of sizeBars) {
    if (set !== curves.dataset) continue;
    const rates = learnedRates(curves, framing, searched);
    const found = cheapest(rates, psnr);
    const finest = Math.max(...rates.map((rate) => rate.psnr));
    bars.push({
      title: `B a picture at ≥ ${psnr} dB, ${title}`,
      found: found?.bytes ?? Number.POSITIVE_INFINITY,
      limit,
      at: found ? `${found.psnr.toFixed(2)} dB` : `the finest quality reaches ${finest.toFixed(2)} dB`,
    });
    if (!found || framing === 'single') continue;
    const others: [string, number, number][] = [
      ['half of PCA’s bytes', bytesAt(ratesOf(curves.linear, framing), found.psnr), 2],
      [
        'a third of the best image format’s (64 in a tile)',
        Math.min(...pictureRates(curves, framing).map((rates) => bytesAt(rates, found.psnr))),
        3,
      ],
    ];
    for (const [what, bytes, part] of others) {
      bars.push({
        title: `the same under ${what}`,
        found: found.bytes,
        limit: bytes / part,
        at: `${found.psnr.toFixed(2)} dB, where that takes ${bytes.toFixed(1)} B`,
      });
    }
  }
  const trained = curves.learned.flatMap(
    ({ points }) => points.filter(({ searched }) => !searched)[trainedQuality] ?? [],
  );
  const overheads = trained.map(({ batch, payload }) => 100 * (batch / payload - 1));
  bars.push({
    title:
      '% that batch frames of 64 take above the entropy of their symbols under the tables, at the qualities of training',
    found: Math.max(...overheads),
    limit: 2,
    at: 'headers and checksums counted',
  });
  return bars;
}

const shown = (bytes: number): string => (Number.isFinite(bytes) ? bytes.toFixed(2) : '–');
const decibels = (psnr: number): string => (Number.isFinite(psnr) ? psnr.toFixed(2) : 'lossless');

function pointRow(codec: string, { quality, searched, payload, batch, single, psnr }: Point): string {
  const name = `${codec}, quality ${quality}${searched ? ', searched' : ''}`;
  return `| ${[name, ...[payload, batch, single].map((bytes) => bytes.toFixed(2)), decibels(psnr)].join(' | ')} |`;
}

function pictureRows(pictures: readonly PicturePoint[]): string[] {
  const alone = pictures.filter(({ tiled }) => !tiled);
  return alone.map(({ format, setting, bytes, psnr }) => {
    const tile = pictures.find((point) => point.tiled && point.format === format && point.setting === setting);
    const name = setting === undefined ? format : `${format} ${setting}`;
    return `| ${name} | ${tile?.bytes.toFixed(1)} | ${decibels(tile?.psnr ?? 0)} | ${bytes.toFixed(1)} | ${decibels(psnr)} |`;
  });
}

function section(curves: Curves): string {
  const { dataset, rows, learned, components, linear, pictures } = curves;
  const costs = learned.map(
    ({ name, trainingSeconds, costs: { single, batch, search } }) =>
      `| ${name} | ${Math.round(trainingSeconds)} | ${single.toFixed(2)} | ${batch.toFixed(3)} | ${search.toFixed(1)} |`,
  );
  return `## ${dataset}, all ${rows.toLocaleString('en')} test pictures

| bar | found | limit | | at |
| --- | ---: | ---: | --- | --- |
${barsOf(curves)
  .map((bar) => `| ${bar.title} | ${shown(bar.found)} | ${shown(bar.limit)} | ${verdict(bar)} | ${bar.at} |`)
  .join('\n')}

| codec | payload, batches of 64 | frame, batches of 64 | compact frame of one | PSNR, dB |
| --- | ---: | ---: | ---: | ---: |
${learned.flatMap(({ name, points }) => points.map((point) => pointRow(name, point))).join('\n')}
${linear.map((point) => pointRow(`PCA ${components}`, point)).join('\n')}

| image format | 64 in a tile, B a picture | dB | alone, B | dB |
| --- | ---: | ---: | ---: | ---: |
${pictureRows(pictures).join('\n')}

| model | training, s | encoding one picture, ms | of 64 at once, ms a picture | with the search, ms a picture |
| --- | ---: | ---: | ---: | ---: |
${costs.join('\n')}
`;
}

export const report = (all: readonly Curves[], machine: string): string => `# Codec: bytes per picture against PSNR

Written by \`npm run bench:codec -- --sets ${all.map(({ dataset }) => dataset).join(',')}\` on ${machine}. Models come from the recipes \`compression-*\`, which see
training rows alone; figures are of the whole test sets. Frames are real ones with all their headers, decoded again. PSNR is of the
squared error's mean over all values of all pictures (the mean over pictures of each one's PSNR would be higher). Image formats are
measured as 8 × 8 pictures in one file (all that fill one) and alone (the first ${singleRows.toLocaleString('en')}); between their settings bytes are
interpolated in dB, and no format goes below its smallest file.

${all.map(section).join('\n')}`;
