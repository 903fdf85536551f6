// Data goes one way: which folder may import which, and through which door each outside engine enters.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const src = path.resolve(import.meta.dirname, '../src');

const mayImport: Record<string, readonly string[]> = {
  base: [],
  gen: [],
  theme: [],
  platform: ['base'],
  telemetry: ['base'],
  jobspec: ['base'],
  store: ['base', 'platform'],
  codec: ['base'],
  picture: ['base'],
  runtime: ['base', 'platform'],
  data: ['base', 'picture', 'codec', 'platform', 'jobspec', 'store'],
  engine: ['base', 'runtime', 'gen'],
  models: ['base', 'jobspec', 'engine'],
  train: ['base', 'picture', 'codec', 'platform', 'jobspec', 'store', 'data', 'models', 'engine'],
  figures: ['base', 'jobspec'],
  report: ['base', 'figures', 'theme', 'picture', 'platform', 'jobspec', 'store', 'data', 'runtime', 'gen'],
  bundle: ['base', 'picture', 'codec', 'runtime', 'data', 'jobspec', 'gen'],
  registry: ['base', 'picture', 'platform', 'jobspec', 'store'],
  access: ['base', 'platform'],
  queue: ['base', 'platform', 'jobspec', 'access'],
  worker: [
    ...['base', 'platform', 'jobspec', 'data', 'models', 'engine', 'train', 'report', 'bundle', 'registry', 'queue'],
    ...['runtime', 'store', 'picture', 'telemetry'],
  ],
  serve: ['base', 'picture', 'platform', 'codec', 'runtime', 'registry', 'telemetry'],
  gateway: [
    ...['base', 'picture', 'platform', 'jobspec', 'codec', 'data', 'registry', 'queue', 'serve', 'store', 'gen'],
    ...['telemetry', 'access', 'theme'],
  ],
  up: ['base', 'platform', 'jobspec', 'data', 'registry', 'queue'],
  sdk: ['base', 'picture', 'codec'],
  demo: ['sdk', 'console'],
  console: ['sdk', 'figures'],
  cli: ['base', 'access', 'sdk'],
};

/** package (prefix) → the files that may import it */
const doors: readonly [pkg: string, allowed: RegExp][] = [
  ['fastify', /^gateway\/(http|oip|tfserving)\//],
  ['find-my-way', /^gateway\/http\//],
  ['@fastify/', /^gateway\/http\//],
  ['@grpc/', /^gateway\/grpc\//],
  ['bullmq', /^queue\//],
  ['ioredis', /^queue\//],
  ['onnxruntime-node', /^runtime\/session\.ts$/],
  ['@tensorflow/', /^(models|engine|train)\//],
  ['sharp', /^data\/image\.ts$/],
  ['prom-client', /^platform\/(open-)?metrics\.ts$/],
  ['@opentelemetry/', /^telemetry\/tracing\.ts$/],
  ['@aws-sdk/', /^store\/s3\/bucket\.ts$/],
  ['jose', /^access\/tokens\.ts$/],
  ['pino', /^platform\/log\.ts$/],
  ['preact', /^(console|demo)\//],
  ['@preact/signals', /^console\//],
  ['uplot', /^console\//],
];

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((f) => /\.tsx?$/.test(f));

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(src, file), 'utf8');
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)import\s*['"]([^'"]+)['"]/g,
  );
  return [...found].map((m) => m[1] ?? m[2] ?? m[3] ?? '');
}

const folderOf = (file: string): string => (file.includes('/') ? file.slice(0, file.indexOf('/')) : file);

/** Files that reach each other, a group for each circle: the strongly connected components (Tarjan 1972). */
function circlesIn(targets: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    lowest.set(file, order.get(file) as number);
    open.push(file);
    for (const target of targets.get(file) ?? []) {
      if (!order.has(target)) visit(target);
      if (!open.includes(target)) continue;
      lowest.set(file, Math.min(lowest.get(file) as number, lowest.get(target) as number));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const group = open.splice(open.indexOf(file));
    const isCircle = group.length > 1 || targets.get(file)?.includes(file);
    if (isCircle) circles.push(group.sort());
  };
  for (const file of targets.keys()) if (!order.has(file)) visit(file);
  return circles.sort((a, b) => (a[0] as string).localeCompare(b[0] as string));
}

describe('imports go one way', () => {
  it('every folder is in the table', () => {
    const folders = new Set(files.filter((f) => f.includes('/')).map(folderOf));
    expect([...folders].filter((f) => !(f in mayImport))).toEqual([]);
  });

  it('no folder imports one that comes after it', () => {
    const wrong: string[] = [];
    for (const file of files) {
      const from = folderOf(file);
      const allowed = mayImport[from];
      if (!allowed) continue;
      for (const spec of importsOf(file)) {
        if (!spec.startsWith('.')) continue;
        const to = folderOf(path.relative(src, path.resolve(src, path.dirname(file), spec)));
        if (to !== from && !allowed.includes(to)) wrong.push(`${file} imports ${spec}: ${from} may not import ${to}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('files do not import each other in a circle', () => {
    const targets = new Map(
      files.map((file) => [
        file,
        importsOf(file)
          .filter((spec) => spec.startsWith('.'))
          .map((spec) => path.join(path.dirname(file), spec)),
      ]),
    );
    expect(circlesIn(targets)).toEqual([]);
  });

  it('finds a circle of any length', () => {
    const targets = { a: ['b'], b: ['c', 'd'], c: ['a'], d: ['d'], e: ['a'] };
    expect(circlesIn(new Map(Object.entries(targets)))).toEqual([['a', 'b', 'c'], ['d']]);
  });

  it('docs/architecture.md shows the same table', () => {
    const text = readFileSync(path.resolve(src, '../docs/architecture.md'), 'utf8');
    const rows = [...text.matchAll(/^\| `(\w+)` *\|[^|]*\|([^|]*)\|$/gm)];
    const shown = rows.map(([, folder = '', allowed = '']) => [
      folder,
      (allowed.match(/[a-z]+/g) ?? []).filter((word) => word in mayImport).sort(),
    ]);
    const held = Object.entries(mayImport).map(([folder, allowed]) => [folder, [...allowed].sort()]);
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(held));
  });

  it('the SDK takes only types from what runs on Node', () => {
    const wrong = files
      .filter((f) => f.startsWith('sdk/'))
      .flatMap((f) =>
        [...readFileSync(path.join(src, f), 'utf8').matchAll(/^import (?!type )[^;]*?from '([^']+)'/gm)].map(
          (m) => m[1] ?? '',
        ),
      )
      .filter((spec) => !/^\.\/|^\.\.\/(base|codec|picture)\//.test(spec));
    expect(wrong).toEqual([]);
  });

  it('each outside engine enters through its one door', () => {
    const wrong: string[] = [];
    for (const file of files) {
      for (const spec of importsOf(file)) {
        for (const [pkg, allowed] of doors) {
          const hit = pkg.endsWith('/') ? spec.startsWith(pkg) : spec === pkg || spec.startsWith(`${pkg}/`);
          if (hit && !allowed.test(file)) wrong.push(`${file} imports ${spec}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('house rules', () => {
  it('what a bucket needs is loaded only when there is one', () => {
    const loaders = files
      .filter((f) => !f.startsWith('store/s3/'))
      .filter((f) => /^import (?!type )[^;]*?from '[^']*\/s3\//m.test(readFileSync(path.join(src, f), 'utf8')));
    expect(loaders).toEqual([]);
  });

  it('files written by hand stay under 400 lines', () => {
    const long = files
      .filter((f) => !/(^|\/)gen\//.test(f))
      .map((f) => [f, readFileSync(path.join(src, f), 'utf8').split('\n').length] as const)
      .filter(([, lines]) => lines > 400);
    expect(long).toEqual([]);
  });

  it('the environment is read in one place', () => {
    const readers = files.filter((f) => /process\.env\b/.test(readFileSync(path.join(src, f), 'utf8')));
    expect(readers.filter((f) => f !== 'main.ts')).toEqual([]);
  });
});
