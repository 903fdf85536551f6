// The chart: its README and schema follow values.yaml; what is rendered keeps the rules of a locked-down cluster and names only
// settings and metrics that exist. What needs a Kubernetes API is in `npm run check:helm`.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { chartReadme } from '../../scripts/generate-chart-readme.mjs';
import { errorTable } from '../../src/base/errors.ts';
import { metricTable } from '../../src/platform/metric-table.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import { settings } from '../../src/platform/settings.ts';
import { deviceQueues } from '../../src/queue/bullmq-keys.ts';
import { keyBase } from '../../src/queue/redis.ts';
import { helm, type Manifest, podTemplates, render, textOf, valuesFiles } from './render.ts';
import { wrongValues } from './wrong-values.ts';

const schema = JSON.parse(textOf('values.schema.json')) as object;
const defaults = parse(textOf('values.yaml')) as Manifest;
const validate = new Ajv({ allErrors: true, strict: false }).compile(schema);

if (helm === undefined) {
  console.warn('NOT RUN: tests that render the chart. helm is not here; `npm run check:helm` builds it where Go is.');
}

describe('values', () => {
  it('are listed in the README', () => {
    expect(textOf('README.md')).toBe(chartReadme());
  });

  it('match the schema, the defaults and every file of ci/', () => {
    expect(validate(defaults), JSON.stringify(validate.errors)).toBe(true);
    for (const file of valuesFiles) {
      expect(validate(parse(textOf(`ci/${file}`))), `${file}: ${JSON.stringify(validate.errors)}`).toBe(true);
    }
  });

  it('are all in the schema: one that is not there is refused', () => {
    const open: string[] = [];
    const walk = (at: Manifest, name: string): void => {
      if (at.type === 'object' && at.properties) {
        if (at.additionalProperties !== false) open.push(name);
        for (const [key, inner] of Object.entries(at.properties)) walk(inner, `${name}.${key}`);
      }
      if (at.items) walk(at.items, `${name}[]`);
    };
    walk(schema, '');
    expect(open).toEqual([]);
  });
});

/** The PromQL of the alerts, or of the dashboard's panels. */
function expressionsOf(file: string): string[] {
  const { groups = [], panels = [] } = parse(textOf(file)) as Manifest;
  const rules = groups.flatMap((group: Manifest) => group.rules);
  return [...rules, ...panels.flatMap((panel: Manifest) => panel.targets ?? [])].map(({ expr }: Manifest) => expr);
}

/** Names with an underscore that are neither functions nor labels. */
function metricNamesIn(expression: string): string[] {
  const bare = expression
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '')
    .replace(/\$\w+/g, '');
  return [...bare.matchAll(/[a-z]\w*_\w+(?!\w*\s*\()/g)].map(([name]) => name);
}

describe('alerts and dashboard', () => {
  const names = new Set<string>();
  beforeAll(async () => {
    for (const { name, kind } of Object.values(metricTable)) {
      for (const end of kind === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']) names.add(`${name}${end}`);
    }
    // What every process tells of itself.
    for (const [, name = ''] of (await new Metrics('gateway').render()).matchAll(/^# TYPE (\S+)/gm)) names.add(name);
  });
  it.each(['files/alerts.yaml', 'files/dashboard.json'])('%s names only metrics that a process shows', (file) => {
    const used = expressionsOf(file).flatMap(metricNamesIn);
    expect(used.length).toBeGreaterThan(5);
    expect(used.filter((name) => !names.has(name))).toEqual([]);
  });
});

it('alerts name only codes of the error table', () => {
  const named = [...textOf('files/alerts.yaml').matchAll(/code=~?"([^"]+)"/g)].flatMap(([, codes = '']) =>
    codes.split('|'),
  );
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((code) => !Object.hasOwn(errorTable, code))).toEqual([]);
});

describe.skipIf(helm === undefined).each(valuesFiles)('rendered with %s', (file) => {
  const { objects, error, status } = helm === undefined ? { objects: [], error: '', status: 0 } : render(file);

  it('renders', () => {
    expect(error).toBe('');
    expect(status).toBe(0);
    expect(objects.length).toBeGreaterThan(8);
  });

  it('runs every pod without rights', () => {
    expect(podTemplates(objects).length).toBeGreaterThan(1);
    for (const [name, { spec }] of podTemplates(objects)) {
      expect(spec, name).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(spec.securityContext.runAsUser, name).toBeGreaterThan(0);
      for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
        expect(container.securityContext, name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources.limits.memory, name).toBeDefined();
        expect(container.resources.requests, name).toMatchObject({ cpu: expect.anything(), memory: expect.anything() });
        expect(container.image, name).toMatch(/:(?!latest$)[\w.-]+$/);
      }
    }
  });

  it('sets only settings that exist', () => {
    const known = new Set<string>(Object.values(settings).map(({ variable }) => variable));
    const used = podTemplates(objects).flatMap(([, { spec }]) =>
      spec.containers.flatMap(({ env = [] }: Manifest) => env.map((variable: Manifest) => variable.name as string)),
    );
    expect(used.filter((name) => /^HOURGLASS_|^OTEL_(EXPORTER|TRACES)/.test(name) && !known.has(name))).toEqual([]);
  });

  it('says no number of replicas where something else scales', () => {
    const scaled = objects.flatMap(({ kind, spec }) =>
      kind === 'HorizontalPodAutoscaler' || kind === 'ScaledObject' ? [spec.scaleTargetRef.name as string] : [],
    );
    for (const { kind, metadata, spec } of objects) {
      if (kind === 'Deployment') expect('replicas' in spec, metadata.name).toBe(!scaled.includes(metadata.name));
    }
  });

  it('has KEDA count the keys that the queue keeps', () => {
    const triggers = objects.flatMap(({ kind, spec }) => (/^Scaled/.test(kind) ? spec.triggers : [])) as Manifest[];
    expect(triggers.length > 0).toBe(['keda-values.yaml', 'gpu-values.yaml'].includes(file));
    const base = keyBase({ prefix: defaults.redis.prefix });
    const keys = deviceQueues.flatMap((queue) => ['waiting', 'running'].map((what) => `${base}queue:${queue}:${what}`));
    for (const { type, metadata } of triggers) {
      expect(type).toBe('redis');
      expect(keys).toContain(metadata.listName);
    }
  });

  it('has a NetworkPolicy for each of its pods', () => {
    const covered = objects
      .filter(({ kind }) => kind === 'NetworkPolicy')
      .map(({ spec }) => spec.podSelector.matchLabels['app.kubernetes.io/component'] as string);
    for (const [name, { metadata }] of podTemplates(objects)) {
      expect(covered, name).toContain(metadata.labels['app.kubernetes.io/component']);
    }
  });

  it('lets pods reach the collector that they send spans to', () => {
    const endpoints = podTemplates(objects).flatMap(([, { spec }]) =>
      spec.containers.flatMap(({ env = [] }: Manifest) =>
        env.filter(({ name }: Manifest) => name === 'OTEL_EXPORTER_OTLP_ENDPOINT').map(({ value }: Manifest) => value),
      ),
    ) as string[];
    const policies = objects.filter(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && /-(gateway|worker)$/.test(metadata.name),
    );
    expect(endpoints.length).toBe(file === 's3-values.yaml' ? 2 : 0);
    const ports = policies.map(({ spec }) => JSON.stringify(spec.egress));
    for (const endpoint of endpoints) {
      for (const text of ports) expect(text).toContain(`"port":${new URL(endpoint).port}`);
    }
  });

  it('gives the gateway time for its drain', () => {
    const gateway = objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name.endsWith('-gateway'));
    const { terminationGracePeriodSeconds: grace, containers } = gateway.spec.template.spec;
    const seconds = (name: string): number =>
      Number.parseInt(containers[0].env.find((variable: Manifest) => variable.name === name).value, 10);
    expect(grace).toBeGreaterThanOrEqual(seconds('HOURGLASS_DRAIN') + seconds('HOURGLASS_GRACE') + 5);
  });
});

describe.skipIf(helm === undefined)('wrong values', () => {
  it.each(wrongValues)('%s is refused, and the message names it', (setting, named) => {
    const { status, error } = render('minimal-values.yaml', ...setting.split(' '));
    expect(status).not.toBe(0);
    expect(error).toContain(named);
  });
});

it('every alert has a section in docs/operations.md', () => {
  const docs = readFileSync(path.resolve(import.meta.dirname, '../../docs/operations.md'), 'utf8');
  const { groups } = parse(textOf('files/alerts.yaml')) as Manifest;
  const rules = groups.flatMap((group: Manifest) => group.rules) as Manifest[];
  expect(rules.length).toBeGreaterThan(5);
  for (const { alert, annotations } of rules) {
    expect(docs).toContain(`### ${alert}\n`);
    expect(annotations.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`);
  }
});

it('every alert has a case that fires it', () => {
  const { tests } = parse(readFileSync(path.resolve(import.meta.dirname, 'alert-cases.yaml'), 'utf8')) as Manifest;
  const cases = tests.flatMap((test: Manifest) => test.alert_rule_test) as Manifest[];
  const fired = new Set(cases.flatMap(({ alertname, exp_alerts = [] }) => (exp_alerts.length > 0 ? [alertname] : [])));
  const { groups } = parse(textOf('files/alerts.yaml')) as Manifest;
  const alerts = groups.flatMap((group: Manifest) => group.rules.map(({ alert }: Manifest) => alert)) as string[];
  expect([...fired].sort()).toEqual(alerts.toSorted());
});
