/**
 * `npm run bench:series`: settings of the heartbeats' anomaly model, compared on development data: of the 500 heartbeats to train on, the
 * last fifth of the normal ones and all others are what is looked at; the test set stays aside. Writes series.md. Needs
 * `npm run bench:data-sets`.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { heartbeatFiles } from './recipes/heartbeats.ts';
import { Instance } from './recipes/instance.ts';

const { values } = parseArgs({
  options: { data: { type: 'string', default: 'data/recipes' }, seeds: { type: 'string', default: '1,2' } },
});
const seeds = values.seeds.split(',').map(Number);
const candidates = [8, 16, 32].flatMap((code) => [0, 0.5].map((hiddenEnds) => ({ code, hiddenEnds, units: 64 })));
const name = 'ecg5000-development';

/** The class stands first. */
const beats = readFileSync(path.join(values.data, 'ecg5000', heartbeatFiles.train), 'utf8')
  .trim()
  .split('\n');
const isNormal = (line: string): boolean => Number(line.split('\t', 1)[0]) === 1;
const normal = beats.filter(isNormal);
const kept = Math.round(0.8 * normal.length);
const training = normal.slice(0, kept);
const looked = [...normal.slice(kept), ...beats.filter((line) => !isNormal(line))];

const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-series-'));
const instance = await Instance.start(folder, Math.min(2, os.availableParallelism()));
try {
  const fileOf = (lines: readonly string[]): Blob => new Blob([`${lines.join('\n')}\n`]);
  await instance.upload(name, async () => {
    const form = new FormData();
    form.set('name', name);
    form.set('options', JSON.stringify({ kind: 'series', labelColumn: 0, header: false }));
    form.set('rows', fileOf(training), 'train.tsv');
    form.set('test-rows', fileOf(looked), 'test.tsv');
    return form;
  });
  const rows: string[] = [];
  for (const { code, hiddenEnds, units } of candidates) {
    const figures: { auroc: number; f1: number }[] = [];
    for (const seed of seeds) {
      const model = { type: 'sequence', code, units, hiddenEnds, normal: ['1'] };
      const plan = { epochs: 60, batchSize: 32, validation: { fraction: 0.2 }, seed };
      const { metrics = {} } = await instance.train({ name: 'beats', dataset: name, model, training: plan }, () => {});
      figures.push({ auroc: metrics['test.auroc'] ?? Number.NaN, f1: metrics['test.f1'] ?? Number.NaN });
    }
    const mean = (of: 'auroc' | 'f1'): number => figures.reduce((sum, one) => sum + one[of], 0) / figures.length;
    const each = figures.map(({ f1 }) => f1.toFixed(3)).join(', ');
    rows.push(`| ${code} | ${hiddenEnds} | ${mean('auroc').toFixed(4)} | ${mean('f1').toFixed(4)} | ${each} |`);
    console.log(rows.at(-1));
  }
  writeFileSync(
    path.join(import.meta.dirname, 'series.md'),
    `# Anomalous heartbeats: settings on development data

Written by \`npm run bench:series\`. Of the 500 heartbeats of ECG5000 to train on, ${training.length} normal ones are trained on (a fifth of them sets the
threshold), ${looked.length} are looked at: ${normal.length - kept} normal, the others anomalous. 64 units, 60 epochs, seeds ${seeds.join(' and ')}. The test set plays no part.

| code | hidden ends | AUROC, mean | F1, mean | F1 of each seed |
| ---: | ---: | ---: | ---: | --- |
${rows.join('\n')}

The differences are of one or two beats. recipes/series.json has a code of 16 without hidden ends, the first of the two best by mean F1.
`,
  );
} finally {
  await instance.stop();
  rmSync(folder, { recursive: true, force: true });
}
