// Writes helm/hourglass/README.md: a table of every value with its default and the comment above it in values.yaml, where
// comments for the table begin with "# --". `npm run generate:chart`; a test compares the file.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMap, parseDocument } from 'yaml';

const chart = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../helm/hourglass');

const docOf = (comment) =>
  (comment ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line, i, all) => line.startsWith('--') || (i > 0 && all[0]?.startsWith('--')))
    .join(' ')
    .replace(/^-- ?/, '');

const shown = (node) => (node === null ? '``' : `\`${JSON.stringify(node.toJSON()).replaceAll('|', '\\|')}\``);

/** Rows of every leaf below a map; empty maps and lists are leaves. */
function* rowsOf(map, prefix) {
  for (const [index, { key, value }] of map.items.entries()) {
    const name = prefix === '' ? key.value : `${prefix}.${key.value}`;
    // The comment above a map's first key belongs to the map in the parser's eyes.
    const doc = docOf(key.commentBefore ?? (index === 0 ? map.commentBefore : undefined));
    if (isMap(value) && value.items.length > 0) {
      if (doc !== '') yield [name, '', doc];
      yield* rowsOf(value, name);
    } else if (name === 'workers') {
      yield [name, 'one pool', doc];
      for (const item of value.items) yield* rowsOf(item, 'workers[]');
    } else {
      yield [name, shown(value), doc];
    }
  }
}

/** The README of the chart as text. */
export function chartReadme() {
  const document = parseDocument(readFileSync(path.join(chart, 'values.yaml'), 'utf8'));
  const { version, appVersion } = parseDocument(readFileSync(path.join(chart, 'Chart.yaml'), 'utf8')).toJSON();
  const rows = [...rowsOf(document.contents, '')].map(([name, value, doc]) => `| \`${name}\` | ${value} | ${doc} |`);
  return `# Hourglass on Kubernetes

Chart ${version} of Hourglass ${appVersion}. Gateways answer REST and gRPC; pools of workers train, each scaled apart, from zero with
[KEDA](https://keda.sh). Nothing is shared but a Redis and a bucket (or a claim that every pod can mount).

\`\`\`sh
# for trying: a Redis of the chart's own and a bucket
helm install hourglass helm/hourglass --set redis.single.enabled=true --set store.url=s3://my-bucket/hourglass
# as in production: Redis and credentials from Secrets that are there
helm install hourglass helm/hourglass -f helm/hourglass/ci/s3-values.yaml
\`\`\`

\`ci/\` holds values that are installed on a real Kubernetes API by \`npm run check:helm\` (bench/helm.md): minimal, s3, keda, gpu,
locked-down. docs/operations.md says how to upgrade, back up, size, and what to do about each alert.

## Values

This table is written by \`npm run generate:chart\` from values.yaml; values.schema.json refuses what is not in it.

| value | default | |
| --- | --- | --- |
${rows.join('\n')}
`;
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  writeFileSync(path.join(chart, 'README.md'), chartReadme());
}
