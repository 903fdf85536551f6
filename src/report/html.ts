/** The report as one page for people, of the same parts as the console: no scripts, nothing loaded from elsewhere. */

import { type Child, el, type Markup, toHtml } from '../figures/markup.ts';
import { card, note } from '../figures/parts.ts';
import { type PictureModelReport, partsFile, pictureModelBody } from '../figures/picture-models.ts';
import type { Report } from '../figures/report.ts';
import { reportBody, verdict } from '../figures/report-body.ts';
import { interpolationsFile, samplesFile } from '../figures/rows.ts';
import type { JobSpec } from '../jobspec/job.ts';
import { figuresCss, themeCss } from '../theme/theme.ts';

/** Links are relative: the page is the file report.html of its version, /v1/models/NAME/versions/N/files/report.html. */
function originLine({ origin, model }: Report): Markup {
  const link = (href: string, text: string): Markup => el('a', { href }, text);
  const name = encodeURIComponent(model.name);
  const links: Child[] = [
    link(`../../../../../../#/models/${name}`, 'all versions'),
    ...[' · ', link('report.json', 'figures as JSON')],
    ...[' · ', link(`../../../../../../demo?model=${name}`, 'try it in the demo')],
    ...[' · ', link('../../../../../../docs', 'API')],
  ];
  if (!origin) return note(links);
  const { jobId, hourglass, seconds, createdAt } = origin;
  const day = el('time', { datetime: createdAt }, `${createdAt.slice(0, 16).replace('T', ' ')} UTC`);
  const took = seconds === undefined ? '' : ` in ${durationOf(seconds)}`;
  return note(
    ...['Trained by job ', link(`../../../../../../#/jobs/${encodeURIComponent(jobId)}`, jobId)],
    ...[` with Hourglass ${hourglass}${took}, `, day, '. ', links],
  );
}

function durationOf(seconds: number): string {
  if (seconds < 100) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** The style sheet is text that no client has written; everything else is escaped. */
const page = (title: string, ...body: readonly Child[]): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
${toHtml(el('title', {}, title))}<style>${themeCss()}${figuresCss()}</style></head><body>
${toHtml(el('main', { class: 'figures report' }, body))}
</body></html>
`;

const dataUrl = (png: Uint8Array): string => `data:image/png;base64,${Buffer.from(png).toString('base64')}`;

/** What the page shows besides figures. */
export interface ReportPictures {
  /** the first test rows */
  readonly picture: Uint8Array | undefined;
  /** the best, median and worst ones */
  readonly extremes: Uint8Array | undefined;
  /** what is decoded between pairs of test rows */
  readonly interpolations?: Uint8Array | undefined;
  /** decoded codes that were drawn from the prior */
  readonly samples?: Uint8Array | undefined;
  readonly classNames: readonly string[];
}

const noPictures: ReportPictures = { picture: undefined, extremes: undefined, classNames: [] };

const nounOf = ({ documents, series, translation }: Report): string =>
  documents ? 'documents' : series ? 'series' : translation ? 'sources' : 'rows';

/** `spec` is shown as it was resolved; pictures go into the page. */
export function reportHtml(report: Report, spec: JobSpec, pictures: ReportPictures = noPictures): string {
  const { model, dataset, notes } = report;
  const heading = `${model.name}: ${model.type} autoencoder of ${dataset.name}`;
  const measured = report.recommendation
    ? `Measured on ${report.recommendation.ratings.toLocaleString('en')} held-out ratings of ${dataset.testRows.toLocaleString('en')} people. Seed ${report.seed}.`
    : `Measured on ${dataset.testRows.toLocaleString('en')} test ${nounOf(report)} that no training saw. Seed ${report.seed}.`;
  const files: Readonly<Record<string, Uint8Array | undefined>> = {
    [report.pictures?.file ?? '']: pictures.picture,
    [report.extremes?.file ?? '']: pictures.extremes,
    [interpolationsFile]: pictures.interpolations,
    [samplesFile]: pictures.samples,
  };
  const addressOf = (file: string): string | undefined => files[file] && dataUrl(files[file]);
  const body = reportBody(report, { addressOf, classNames: pictures.classNames });
  return page(
    heading,
    el('h1', {}, model.name),
    note(`${heading}. ${measured}`),
    ...[originLine(report), body.verdict],
    notes.map((text) => el('p', { class: 'notice warn' }, text)),
    ...[body.tiles, body.sections.map(card)],
    el(
      'section',
      { class: 'card' },
      body.definitions,
      el('details', {}, el('summary', {}, 'Specification'), el('pre', {}, JSON.stringify(spec, null, 2))),
      note(`Data set ${dataset.name}, content ${dataset.hash}`),
    ),
  );
}

/** The page of a model of pictures of any size; `parts` is its file of parts of pictures. */
export function pictureModelHtml(report: PictureModelReport, parts: Uint8Array): string {
  const addressOf = (file: string): string | undefined => (file === partsFile ? dataUrl(parts) : undefined);
  const body = pictureModelBody(report, { addressOf });
  return page(
    report.model,
    el('h1', {}, report.model),
    ...[note(body.lead), verdict(body.verdict, body.isBehind), body.sections.map(card)],
  );
}
