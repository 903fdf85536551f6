/** What a report comes to, in a sentence or two: how far the model is ahead of PCA, popularity or TF-IDF, and what its frames take beside files. */

import { sizeOf } from '../base/ndarray.ts';
import type { Report } from './report.ts';

/** kind, decoder and checksum of a compact frame */
export const framing = 5;

export function verdictOf(report: Report): readonly string[] {
  return [...besideBaseline(report), ...besideFiles(report)];
}

/** Whether the model falls behind what it is compared with first. */
export function isBehind({ recommendation, documents, series, denoising, reconstruction }: Report): boolean {
  if (recommendation) return recommendation.ranking.model.recall20 < recommendation.ranking.popularity.recall20;
  if (documents) return documents.neighbours !== undefined && documents.neighbours.model < documents.neighbours.tfidf;
  if (series?.anomalies?.pca) return series.anomalies.model.f1 < series.anomalies.pca.f1;
  if (series) return series.rmse.model > series.rmse.mean;
  const scored = denoising ?? reconstruction;
  return scored?.pca !== undefined && scored.model.psnr < scored.pca.psnr - 0.05;
}

function besideBaseline({
  reconstruction,
  denoising,
  baseline,
  recommendation,
  documents,
  series,
  translation,
}: Report): string[] {
  if (recommendation) {
    const { model, popularity } = recommendation.ranking;
    return [`Recall at 20 of ${percent(model.recall20)}; popularity alone reaches ${percent(popularity.recall20)}.`];
  }
  if (documents) return besideTfIdf(documents);
  if (series) return ofSeries(series);
  if (translation) {
    const { sequenceErrors, symbolErrors } = translation;
    return [
      `${percent(1 - sequenceErrors)} of the test sources are translated rightly; ${percent(symbolErrors)} of the symbols are wrong.`,
    ];
  }
  const scored = denoising ?? reconstruction;
  if (!scored) return [];
  const what = denoising ? ' on noisy rows' : '';
  if (!scored.pca || !baseline) return [`${scored.model.psnr.toFixed(1)} dB${what}.`];
  const ahead = scored.model.psnr - scored.pca.psnr;
  const beside = `PCA at ${baseline.components} ${baseline.components === 1 ? 'number' : 'numbers'}`;
  const size = Math.abs(ahead).toFixed(1);
  if (size === '0.0') return [`As good as ${beside}${what}.`];
  return [ahead > 0 ? `+${size} dB over ${beside}${what}.` : `${size} dB below ${beside}${what}.`];
}

function besideTfIdf({ neighbours, npmi }: NonNullable<Report['documents']>): string[] {
  if (neighbours) {
    const { counted, model, tfidf } = neighbours;
    return [
      `Of the ${counted} nearest documents ${percent(model)} are of the same class; by all words (TF-IDF) ${percent(tfidf)}.`,
    ];
  }
  return npmi === undefined ? [] : [`Topics with a coherence (NPMI) of ${npmi.toFixed(2)}.`];
}

function ofSeries({ anomalies, forecast, rmse }: NonNullable<Report['series']>): string[] {
  const told = anomalies
    ? `Tells ${percent(anomalies.model.recall)} of the anomalous series, with ${percent(anomalies.model.falseAlarms)} false alarms: F1 ${anomalies.model.f1.toFixed(3)}${anomalies.pca ? `, PCA ${anomalies.pca.f1.toFixed(3)}` : ''}.`
    : `Series come back with an error of ${rmse.model.toFixed(3)} standard deviations; the mean series alone leaves ${rmse.mean.toFixed(3)}.`;
  if (!forecast) return [told];
  return [
    told,
    `Forecasts are ${forecast.model.toFixed(3)} standard deviations off, the last value ${forecast.lastValue.toFixed(3)}.`,
  ];
}

function besideFiles({ frames, rates, dataset }: Report): string[] {
  const finest = frames?.at(-1);
  if (!finest) return [];
  const bytes = Math.ceil(finest.bytesPerRow) + framing;
  const ours = `${bytes} bytes at ${finest.psnr.toFixed(1)} dB`;
  if (!rates) return [`${ours}; the row itself is ${4 * sizeOf(dataset.shape)} bytes of float32.`];
  const { webpAsGood, png } = rates;
  return [
    webpAsGood
      ? `${ours}; WebP needs ${Math.round(webpAsGood.bytes)}, a lossless PNG ${Math.round(png)}.`
      : `${ours}; a lossless PNG needs ${Math.round(png)}.`,
  ];
}

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
