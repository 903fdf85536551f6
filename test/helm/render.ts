/** Renders the chart with helm, from the PATH or from where `npm run check:helm` keeps what it built. */

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { findTool } from '../../bench/helm/tools.ts';

export const chart = path.resolve(import.meta.dirname, '../../helm/hourglass');
export const helm = findTool('helm');
export const valuesFiles = readdirSync(path.join(chart, 'ci')).filter((file) => file.endsWith('-values.yaml'));

/** A Kubernetes object as it was rendered: the tests look into it where they know its kind. */
// biome-ignore lint/suspicious/noExplicitAny: a manifest has the shape of its kind
export type Manifest = any;

export interface Rendered {
  readonly status: number | null;
  readonly objects: readonly Manifest[];
  readonly error: string;
}

export function render(valuesFile: string, ...settings: string[]): Rendered {
  const values = ['-f', path.join(chart, 'ci', valuesFile), ...settings.flatMap((setting) => ['--set', setting])];
  const { status, stdout, stderr } = spawnSync(helm ?? 'helm', ['template', 'r', chart, '-n', 'hg', ...values], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const objects = status === 0 ? parseAllDocuments(stdout).map((document) => document.toJS() as Manifest) : [];
  return { status, objects: objects.filter((object) => object !== null), error: stderr };
}

export const textOf = (file: string): string => readFileSync(path.join(chart, file), 'utf8');

/** Pod templates of Deployments, StatefulSets and ScaledJobs, by the name of their owner. */
export function podTemplates(objects: readonly Manifest[]): [name: string, template: Manifest][] {
  return objects.flatMap((object) => {
    const template = object.kind === 'ScaledJob' ? object.spec.jobTargetRef.template : object.spec?.template;
    return template ? [[`${object.kind} ${object.metadata.name}`, template] as [string, Manifest]] : [];
  });
}
