/** Figures of a version by their names in the manifest, such as `test.pca.psnr`: what they are called, and which is better. */

import type { Manifest } from '../sdk/index.ts';
import { number } from './format.ts';

export interface Figure {
  readonly name: string;
  /** of what: the heading that it stands under */
  readonly group: string;
  readonly label: string;
  /** `neither` for what is not of this model, such as PCA beside it, or no matter of better */
  readonly better: 'less' | 'more' | 'neither';
}

const scores: Readonly<Record<string, readonly [label: string, better: Figure['better']]>> = {
  mse: ['mean squared error', 'less'],
  sse: ['squared error of a row', 'less'],
  psnr: ['PSNR, dB', 'more'],
  psnrOfMean: ['PSNR of the mean error, dB', 'more'],
  bce: ['cross-entropy, nats', 'less'],
  loss: ['loss', 'less'],
  error: ['share classified wrongly', 'less'],
  nll: ['negative log-likelihood, nats', 'less'],
  bpp: ['bits a pixel', 'less'],
  bytes: ['bytes of a row, estimated', 'less'],
  accuracy: ['accuracy', 'more'],
  f1: ['F1 of anomalies', 'more'],
  precision: ['precision of anomalies', 'more'],
  recall: ['recall of anomalies', 'more'],
  auroc: ['AUROC of anomalies', 'more'],
  falseAlarms: ['false alarms', 'less'],
  wer: ['sources translated wrongly', 'less'],
  per: ['symbols wrong', 'less'],
  seriesRmse: ['RMSE, standard deviations', 'less'],
  forecastRmse: ['RMSE of forecasts, standard deviations', 'less'],
  rmse: ['RMSE of ratings', 'less'],
  mae: ['mean absolute error of ratings', 'less'],
  recall20: ['recall at 20', 'more'],
  ndcg100: ['NDCG at 100', 'more'],
  precision10: ['of the 10 nearest, of the same class', 'more'],
  npmi: ['coherence of the topics (NPMI)', 'more'],
  diversity: ['different words among the topics', 'more'],
  perplexity: ['perplexity of a word', 'less'],
  nats: ['nats of a document', 'less'],
  words: ['words of a document', 'neither'],
  wrong: ['sources translated wrongly, greedily', 'less'],
  reconstruction: ['part of the reconstruction', 'less'],
  forecast: ['part of the forecast', 'less'],
};

/** The part of a name before its last dot. What is measured of something else than the model is `beside` it. */
const subjects: Readonly<Record<string, { readonly group: string; readonly note?: string; readonly beside?: true }>> = {
  train: { group: 'Training' },
  heldOut: { group: 'Training', note: 'held-out rows' },
  test: { group: 'Test rows' },
  'test.pca': { group: 'Test rows', note: 'PCA', beside: true },
  'test.pcaClipped': { group: 'Test rows', note: 'PCA, clipped', beside: true },
  'test.biases': { group: 'Test rows', note: 'biases alone', beside: true },
  'test.popularity': { group: 'Test rows', note: 'popularity', beside: true },
  'test.best': { group: 'Test rows', note: 'among all that were followed' },
  'test.mean': { group: 'Test rows', note: 'mean of the training', beside: true },
  'test.lastValue': { group: 'Test rows', note: 'last value', beside: true },
  'test.seasonal': { group: 'Test rows', note: 'season before', beside: true },
  'test.tfidf': { group: 'Test rows', note: 'TF-IDF', beside: true },
  'test.lsa': { group: 'Test rows', note: 'latent semantic analysis', beside: true },
  'test.chance': { group: 'Test rows', note: 'by chance', beside: true },
  'test.damaged': { group: 'Test rows', note: 'damaged, not restored', beside: true },
  topics: { group: 'Test rows' },
  'test.document': { group: 'Test rows' },
  'test.classifier': { group: 'Test rows', note: 'classifier' },
  'test.probe': { group: 'Test rows', note: 'linear probe of the codes' },
  'test.neighbours': { group: 'Test rows', note: 'nearest neighbours of the codes' },
  'test.reconstruction': { group: 'Test rows', note: 'as trained' },
  'test.bound': { group: 'Test rows', note: 'evidence bound' },
  'test.series': { group: 'Test rows', note: 'as trained' },
  'test.pairs': { group: 'Test rows', note: 'as trained' },
  'test.ease': { group: 'Test rows', note: 'EASE', beside: true },
  'test.denoised': { group: 'Noisy test rows' },
  'test.noisy': { group: 'Noisy test rows', note: 'not cleaned', beside: true },
  'test.pcaDenoised': { group: 'Noisy test rows', note: 'PCA', beside: true },
};

const single: Readonly<Record<string, Figure>> = {
  parameters: { name: 'parameters', group: 'Training', label: 'weights', better: 'neither' },
  'restorer.macPerPixel': {
    name: 'restorer.macPerPixel',
    group: 'Training',
    label: 'multiply-adds a pixel',
    better: 'neither',
  },
  'decoder.macPerPixel': {
    name: 'decoder.macPerPixel',
    group: 'Training',
    label: 'multiply-adds a pixel, decoding',
    better: 'neither',
  },
  'train.seconds': { name: 'train.seconds', group: 'Training', label: 'training, seconds', better: 'neither' },
  'train.loss': { name: 'train.loss', group: 'Training', label: 'loss, training rows', better: 'neither' },
  'heldOut.loss': { name: 'heldOut.loss', group: 'Training', label: 'loss, held-out rows', better: 'neither' },
};

export function figureOf(name: string): Figure {
  const known = single[name];
  if (known) return known;
  const at = name.lastIndexOf('.');
  const subject = subjects[name.slice(0, Math.max(0, at))];
  const [label, better] = scores[name.slice(at + 1)] ?? [];
  if (!subject || label === undefined || better === undefined)
    return { name, group: 'Others', label: name, better: 'neither' };
  return {
    name,
    group: subject.group,
    label: subject.note === undefined ? label : `${label} · ${subject.note}`,
    better: subject.beside ? 'neither' : better,
  };
}

const order = ['Test rows', 'Noisy test rows', 'Training', 'Others'];

/** Groups in the order in which they are read, PCA and its like below the figure that they stand beside. */
export function grouped(names: readonly string[]): readonly (readonly [group: string, figures: readonly Figure[]])[] {
  const rank = (name: string): number => Object.keys(scores).indexOf(name.slice(name.lastIndexOf('.') + 1));
  const figures = [...names].sort((a, b) => rank(a) - rank(b)).map(figureOf);
  return order
    .map((group) => [group, figures.filter((figure) => figure.group === group)] as const)
    .filter(([, found]) => found.length > 0);
}

/** dB above PCA with as many numbers, on what the model is for: noisy rows of one that removes noise. */
export function aheadOfPca({ metrics }: Pick<Manifest, 'metrics'>): number | undefined {
  const [own, pca] =
    metrics['test.denoised.psnr'] === undefined
      ? [metrics['test.psnr'], metrics['test.pca.psnr']]
      : [metrics['test.denoised.psnr'], metrics['test.pcaDenoised.psnr']];
  return own === undefined || pca === undefined ? undefined : own - pca;
}

interface Headline {
  /** the figure that models of this kind are judged by */
  readonly own: string;
  /** the same of what the model is compared with */
  readonly beside?: string | undefined;
}

/** The first figure to look at, by what a model is for; undefined where nothing was measured. */
export function headlineOf({ metrics }: Pick<Manifest, 'metrics'>): Headline | undefined {
  const shown = (name: string, write: (value: number) => string): string | undefined =>
    metrics[name] === undefined ? undefined : write(metrics[name]);
  const headline = (own: string, write: (value: number) => string, other = '', otherWrite = write) => {
    const value = shown(own, write);
    return value === undefined ? undefined : { own: value, beside: shown(other, otherWrite) };
  };
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  return (
    headline(
      'test.damaged.psnr',
      () => `${number(metrics['test.psnr'])} dB`,
      'test.damaged.psnr',
      (damaged) => `damaged ${number(damaged)} dB`,
    ) ??
    headline('test.denoised.psnr', (psnr) => `${number(psnr)} dB denoised`) ??
    headline('test.psnr', (psnr) => `${number(psnr)} dB`) ??
    headline(
      'test.rmse',
      (rmse) => `RMSE ${number(rmse)}`,
      'test.biases.rmse',
      (rmse) => `biases alone ${number(rmse)}`,
    ) ??
    headline(
      'test.recall20',
      (recall) => `recall at 20 ${percent(recall)}`,
      'test.popularity.recall20',
      (recall) => `popularity ${percent(recall)}`,
    ) ??
    headline(
      'test.f1',
      (f1) => `F1 ${f1.toFixed(3)}`,
      'test.pca.f1',
      (f1) => `PCA ${f1.toFixed(3)}`,
    ) ??
    headline(
      'test.seriesRmse',
      (rmse) => `RMSE ${number(rmse)} σ`,
      'test.mean.seriesRmse',
      (rmse) => `mean series ${number(rmse)} σ`,
    ) ??
    headline(
      'test.precision10',
      (share) => `nearest alike ${percent(share)}`,
      'test.tfidf.precision10',
      (share) => `TF-IDF ${percent(share)}`,
    ) ??
    headline('topics.npmi', (npmi) => `NPMI ${npmi.toFixed(3)}`) ??
    headline('test.wer', (wrong) => `right ${percent(1 - wrong)}`) ??
    headline('heldOut.psnr', (psnr) => `${number(psnr)} dB`)
  );
}

/** `+3.3 dB`, with a true minus sign */
export function signed(value: number): string {
  const size = Math.abs(value).toFixed(1);
  return `${size === '0.0' ? '±' : value < 0 ? '−' : '+'}${size} dB`;
}
