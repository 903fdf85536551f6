/** The CustomResourceDefinitions that the chart's optional objects need, from the Go modules that publish them. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { moduleFolder } from './tools.ts';

const sources = [
  { module: 'github.com/kedacore/keda/v2', version: 'v2.21.0', folder: 'config/crd/bases', files: /^keda\.sh_/ },
  {
    module: 'github.com/prometheus-operator/prometheus-operator',
    version: 'v0.85.0',
    folder: 'example/prometheus-operator-crd',
    files: /_(servicemonitors|prometheusrules)\.yaml$/,
  },
  {
    module: 'sigs.k8s.io/gateway-api',
    version: 'v1.5.1',
    folder: 'config/crd/standard',
    files: /_(httproutes|grpcroutes)\.yaml$/,
  },
] as const;

/** As YAML documents of one text. */
export function customResourceDefinitions(): string {
  const texts: string[] = [];
  for (const { module, version, folder, files } of sources) {
    const from = path.join(moduleFolder(module, version), folder);
    for (const file of readdirSync(from).filter((name) => files.test(name))) {
      texts.push(readFileSync(path.join(from, file), 'utf8'));
    }
  }
  const all = texts.flatMap((text) => parseAllDocuments(text)).map((document) => document.toString());
  if (all.length < sources.length) throw new Error('some modules hold no CustomResourceDefinitions');
  return all.join('---\n');
}
