// Bundles the scripts of the web pages and copies what goes with them, to dist/ or the folder of a build that is named.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { rolldown } from 'rolldown';

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..');
const to = path.resolve(process.argv[2] ?? path.join(root, 'dist'));
const from = (...parts) => path.join(root, 'src', ...parts);

/** One script of `entry` and all that it imports. */
async function bundle(entry, target) {
  const built = await rolldown({
    input: entry,
    platform: 'browser',
    cwd: root,
    transform: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  });
  const { output } = await built.generate({ format: 'esm', minify: true, comments: false });
  await built.close();
  if (output.length !== 1) throw new Error(`one script was expected, there are ${output.length}`);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, output[0].code);
}

/** What a job may begin with: the main job of each recipe. */
function recipes() {
  return readdirSync(path.join(root, 'recipes'))
    .filter((file) => file.endsWith('.json'))
    .map((file) => {
      const { title, jobs } = JSON.parse(readFileSync(path.join(root, 'recipes', file), 'utf8'));
      return { name: file.replace(/\.json$/, ''), title, job: jobs.main ?? Object.values(jobs)[0] };
    });
}

const theme = readFileSync(from('theme/theme.css'), 'utf8');
mkdirSync(path.join(to, 'theme'), { recursive: true });
writeFileSync(path.join(to, 'theme/theme.css'), theme);
const figures = readFileSync(from('theme/figures.css'), 'utf8');
writeFileSync(path.join(to, 'theme/figures.css'), figures);

/** Style sheets that a page loads as one, the shared one first. */
const writeStyle = (page, ...own) => writeFileSync(path.join(to, page, 'style.css'), [theme, ...own].join(''));

for (const script of ['demo', 'photos', 'photo-worker']) {
  await bundle(from(`demo/${script}.ts`), path.join(to, `demo/${script}.js`));
}
for (const file of ['index.html', 'photos.html', 'icon.svg'])
  copyFileSync(from('demo', file), path.join(to, 'demo', file));

await bundle(from('console/main.tsx'), path.join(to, 'console/console.js'));
for (const file of ['index.html', 'icon.svg']) copyFileSync(from('console', file), path.join(to, 'console', file));
const chartParts = readFileSync(from('console/parts/chart.css'), 'utf8');
const charts = readFileSync(path.join(root, 'node_modules/uplot/dist/uPlot.min.css'), 'utf8');
writeStyle('demo', charts, chartParts, readFileSync(from('demo/style.css'), 'utf8'));
writeStyle('console', charts, chartParts, figures, readFileSync(from('console/style.css'), 'utf8'));
writeFileSync(path.join(to, 'console/recipes.json'), JSON.stringify(recipes()));
