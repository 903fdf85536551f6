/** A report as sections, whatever its model answers: for the page of a version, and for the console. */

import { documentDefinitions, documentSections, documentTiles } from './documents.ts';
import { lineChart, type Series } from './line-chart.ts';
import type { Markup } from './markup.ts';
import { el } from './markup.ts';
import { legend, type Section, section, short } from './parts.ts';
import { ratingDefinitions, ratingSections, ratingTiles } from './ratings.ts';
import type { Report } from './report.ts';
import { type ReportFiles, rowDefinitions, rowSections, rowTiles } from './rows.ts';
import { seriesDefinitions, seriesSections, seriesTiles } from './series.ts';
import { translationDefinitions, translationSections, translationTiles } from './translation.ts';
import { isBehind, verdictOf } from './verdict.ts';

export interface ReportBody {
  /** what the report comes to; undefined where nothing was measured */
  readonly verdict: Markup | undefined;
  /** figures that are read first */
  readonly tiles: Markup;
  readonly sections: readonly Section[];
  /** what the figures mean, folded */
  readonly definitions: Markup;
}

export function reportBody(report: Report, files: ReportFiles): ReportBody {
  const [tiles, sections, definitions] = partsOf(report, files);
  return {
    ...{ verdict: verdict(verdictOf(report), isBehind(report)), tiles, definitions },
    sections: [...sections, ...losses(report)].filter((one) => one !== undefined),
  };
}

/** The first sentence large, the others below. */
export function verdict([first, ...rest]: readonly string[], isBehind: boolean): Markup | undefined {
  if (first === undefined) return undefined;
  return el('p', { class: isBehind ? 'verdict behind' : 'verdict' }, el('b', {}, first), rest.join(' '));
}

type Parts = readonly [tiles: Markup, sections: readonly (Section | undefined)[], definitions: Markup];

function partsOf(report: Report, files: ReportFiles): Parts {
  const { translation, recommendation, documents, series } = report;
  if (translation)
    return [translationTiles(report, translation), translationSections(translation), translationDefinitions];
  if (recommendation) return [ratingTiles(report, recommendation), ratingSections(recommendation), ratingDefinitions];
  if (documents) return [documentTiles(report, documents), documentSections(documents), documentDefinitions];
  if (series) return [seriesTiles(report, series), seriesSections(series), seriesDefinitions];
  return [rowTiles(report), rowSections(report, files), rowDefinitions];
}

const lossNames = { loss: 'training loss', 'heldOut.loss': 'held-out loss' } as const;

/** One chart for each phase: its loss and, where it was measured, that of held-out rows. */
function losses({ epochs }: Report): (Section | undefined)[] {
  return [...new Set(epochs.map(({ phase }) => phase))].map((phase) => {
    const own = epochs.filter((epoch) => epoch.phase === phase);
    const series: Series[] = Object.entries(lossNames).flatMap(([metric, name]) => {
      const values = own.map(({ metrics }) => metrics[metric] ?? Number.NaN);
      return values.every(Number.isFinite) ? [{ name, values }] : [];
    });
    if (series.length === 0) return undefined;
    const title = `Loss per epoch: ${phase}`;
    const names = series.map(({ name, values }, i) => ({
      ...{ name: `${name}, at the end ${short(values.at(-1) ?? Number.NaN)}`, colour: i + 1 },
    }));
    return section(title, legend(names), lineChart(series, title));
  });
}
