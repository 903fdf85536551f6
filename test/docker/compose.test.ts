// docker/compose.yaml names only settings, targets and files that exist, and locks down what is ours as the chart does.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { settings } from '../../src/platform/settings.ts';

interface Service {
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly image?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}

const folder = path.resolve(import.meta.dirname, '../../docker');
const textOf = (file: string): string => readFileSync(path.join(folder, file), 'utf8');
const compose = parse(textOf('compose.yaml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: object;
};
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build !== undefined);

describe('docker/compose.yaml', () => {
  it('builds targets of the Dockerfile', () => {
    const targets = [...textOf('Dockerfile').matchAll(/^FROM .* AS (\S+)$/gm)].map(([, name]) => name);
    expect(ours.map(([name]) => name)).toEqual(['gateway', 'worker']);
    for (const [, { build }] of ours) {
      expect(targets).toContain(build?.target);
      expect(existsSync(path.resolve(folder, build?.context ?? '', build?.dockerfile ?? ''))).toBe(true);
    }
  });

  it('sets only settings that exist', () => {
    const known = new Set<string>(Object.values(settings).map(({ variable }) => variable));
    const used = ours.flatMap(([, { environment = {} }]) => Object.keys(environment));
    expect(used.length).toBeGreaterThan(8);
    expect(used.filter((name) => !name.startsWith('AWS_') && !known.has(name))).toEqual([]);
  });

  it('names volumes, files and services that are there', () => {
    for (const [name, { volumes = [], depends_on = {} }] of services) {
      for (const volume of volumes) {
        const [source = ''] = volume.split(':');
        const isThere = source.startsWith('.') ? existsSync(path.join(folder, source)) : source in compose.volumes;
        expect(isThere, `${name}: ${volume}`).toBe(true);
      }
      for (const other of Object.keys(depends_on)) expect(compose.services, name).toHaveProperty(other);
    }
  });

  it('runs what is ours on a read-only root without capabilities, and opens ports to this machine only', () => {
    for (const [name, { read_only, cap_drop }] of ours)
      expect([name, read_only, cap_drop]).toEqual([name, true, ['ALL']]);
    for (const [name, { ports = [] }] of services)
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:/);
  });

  it('pins every image', () => {
    for (const [name, { image }] of services) if (image) expect(image, name).toMatch(/:(?!latest$)[\w.-]+$/);
  });

  it('has Prometheus scrape the port of the metrics and read the rules of the chart', () => {
    const prometheus = textOf('prometheus/prometheus.yaml');
    expect(prometheus).toContain('gateway:9464');
    expect(prometheus).toContain('worker:9464');
    const mounts = compose.services.prometheus?.volumes ?? [];
    const rules = (parse(prometheus) as { rule_files: string[] }).rule_files;
    for (const file of rules) expect(mounts.some((mount) => mount.includes(`:${file}`))).toBe(true);
  });
});
