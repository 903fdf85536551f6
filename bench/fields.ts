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
    /** `11x20`: sides of patches and numbers of components */
    patches: { type: 'string', default: '9x20,11x10,11x20,11x30,15x20' },
    threads: { type: 'string', default: '2' },
  },
});
const seeds = values.seeds.split(',').map(Number);
const recipe = readRecipe('hyperspectral');
const request = recipe.jobs.main as { readonly training?: object } | undefined;
if (!request) throw new Error('the recipe has no job "main"');

const fields = readFields(path.join(values.data, 'indian-pines'));
const drawn = pixelsOf('indian-pines-development', fields.classes);
const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-fields-'));
const instance = await Instance.start(folder, Number(values.threads));
try {
  const rows: string[] = [];
  for (const sizes of values.patches.split(',')) {
    const [patch = 1, components = 1] = sizes.split('x').map(Number);
    const dataset = `fields-${sizes}`;
    await instance.upload(dataset, async () => fieldForm(dataset, fields, drawn, { patch, components }));
    const accuracies: number[] = [];
    for (const seed of seeds) {
      const training = { ...request.training, seed };
      const { metrics = {} } = await instance.train({ ...request, name: 'fields', dataset, training }, () => {});
      accuracies.push(1 - (metrics['test.classifier.error'] ?? Number.NaN));
    }
    const mean = accuracies.reduce((a, b) => a + b, 0) / accuracies.length;
    const each = accuracies.map((value) => value.toFixed(4)).join(', ');
    rows.push(`| ${patch} × ${patch} | ${components} | ${mean.toFixed(4)} | ${each} |`);
    console.log(rows.at(-1));
  }
  writeFileSync(
    path.join(import.meta.dirname, 'fields.md'),
    `# Fields: settings on development data

Written by \`npm run bench:fields\`. Of the ${drawn.train.length + drawn.test.length} labelled pixels of Indian Pines that recipes/hyperspectral.json trains on, ${drawn.train.length} are trained on
and ${drawn.test.length} looked at; no other pixel's label plays a part. Model and training are those of the recipe; seeds ${seeds.join(' and ')}.

| patch | components | accuracy, mean | of each seed |
| --- | ---: | ---: | --- |
${rows.join('\n')}
`,
  );
} finally {
  await instance.stop();
  rmSync(folder, { recursive: true, force: true });
}
