/**
 * `npm run bench:fields`: settings of the hyperspectral recipe, compared on development data: of the tenth of Indian Pines' labelled pixels
 * that may be trained on, three quarters are trained on and the others looked at; all other pixels stay aside. Writes fields.md. Needs
 * `npm run bench:data-sets`.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fieldForm, pixelsOf, readFields } from './recipes/fields.ts';
import { Instance } from './recipes/instance.ts';
import { readRecipe } from './recipes/recipe.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: 'data/recipes' },
    seeds: { type: 'string', default: '1,2' },
    /** a model, the side of patches and the number of components */
    trials: {
      type: 'string',
      default: 'dense-11x20,dense-15x10,convolutional-8x20,convolutional-12x10,convolutional-12x20',
    },
    threads: { type: 'string', default: '2' },
  },
});
const seeds = values.seeds.split(',').map(Number);
const recipe = readRecipe('hyperspectral');
const request = recipe.jobs.main as
  | { readonly training: object; readonly model: { readonly corruption: object; readonly head: object } }
  | undefined;
if (!request) throw new Error('the recipe has no job "main"');

/** The recipe's model, and one of fully connected layers with the same noise and the same head. */
const models: Readonly<Record<string, object>> = {
  convolutional: request.model,
  dense: {
    ...{ type: 'denoising', hidden: [512], code: 128 },
    ...{ corruption: request.model.corruption, head: request.model.head },
  },
};

const fields = readFields(path.join(values.data, 'indian-pines'));
const drawn = pixelsOf('indian-pines-development', fields.classes);
const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-fields-'));
const instance = await Instance.start(folder, Number(values.threads));
try {
  const rows: string[] = [];
  for (const trial of values.trials.split(',')) {
    const [kind = '', sizes = ''] = trial.split('-');
    const [patch = 1, components = 1] = sizes.split('x').map(Number);
    const model = models[kind];
    if (!model) throw new Error(`There is no model ${kind}, only ${Object.keys(models).join(' and ')}.`);
    const dataset = `fields-${sizes}`;
    await instance.upload(dataset, async () => fieldForm(dataset, fields, drawn, { patch, components }));
    const accuracies: number[] = [];
    for (const seed of seeds) {
      const training = { ...request.training, seed };
      const { metrics = {} } = await instance.train({ name: 'fields', dataset, model, training }, () => {});
      accuracies.push(1 - (metrics['test.classifier.error'] ?? Number.NaN));
    }
    const mean = accuracies.reduce((a, b) => a + b, 0) / accuracies.length;
    const each = accuracies.map((value) => value.toFixed(4)).join(', ');
    rows.push(`| ${kind} | ${patch} × ${patch} | ${components} | ${mean.toFixed(4)} | ${each} |`);
    console.log(rows.at(-1));
  }
  writeFileSync(
    path.join(import.meta.dirname, 'fields.md'),
    `# Fields: settings on development data

Written by \`npm run bench:fields\`. Of the ${drawn.train.length + drawn.test.length} labelled pixels of Indian Pines that recipes/hyperspectral.json trains on, ${drawn.train.length} are trained on
and ${drawn.test.length} looked at; no other pixel's label plays a part. The convolutional model is that of the recipe, the dense one has layers of 512 and 128
units; seeds ${seeds.join(' and ')}.

| model | patch | components | accuracy, mean | of each seed |
| --- | --- | ---: | ---: | --- |
${rows.join('\n')}
`,
  );
} finally {
  await instance.stop();
  rmSync(folder, { recursive: true, force: true });
}
