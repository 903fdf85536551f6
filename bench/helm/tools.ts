/**
 * The programs that the checks of the chart need. From the PATH, or built with Go and kept in HOURGLASS_TOOLS (default:
 * hourglass-tools in the user's cache folder). Versions are pinned here.
 */

import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const cache =
  process.env.HOURGLASS_TOOLS ??
  path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'hourglass-tools');

const kubernetes = '1.37.2';

interface Tool {
  readonly module: string;
  readonly version: string;
  readonly package: string;
  readonly tags?: string;
  /** replacements that the module makes in its own go.mod, which do not count for who requires it */
  readonly replaced?: string;
}

export const tools = {
  helm: { module: 'helm.sh/helm/v4', version: 'v4.3.0', package: 'helm.sh/helm/v4/cmd/helm' },
  etcd: { module: 'go.etcd.io/etcd/server/v3', version: 'v3.7.3', package: 'go.etcd.io/etcd/server/v3' },
  'kube-apiserver': {
    module: 'k8s.io/kubernetes',
    version: `v${kubernetes}`,
    package: 'k8s.io/kubernetes/cmd/kube-apiserver',
  },
  'kube-controller-manager': {
    module: 'k8s.io/kubernetes',
    version: `v${kubernetes}`,
    package: 'k8s.io/kubernetes/cmd/kube-controller-manager',
  },
  'helm-unittest': {
    module: 'github.com/helm-unittest/helm-unittest',
    version: 'v1.1.2',
    package: 'github.com/helm-unittest/helm-unittest/cmd/helm-unittest',
    replaced:
      '\nreplace github.com/vmware-labs/yaml-jsonpath v0.3.2 => github.com/helm-unittest/yaml-jsonpath v0.4.0\n',
  },
  promtool: {
    module: 'github.com/prometheus/prometheus',
    version: 'v0.316.0', // Prometheus 3.16
    package: 'github.com/prometheus/prometheus/cmd/promtool',
    // Without the service discovery of every cloud, which would be most of the work.
    tags: 'remove_all_sd,netgo',
  },
} as const satisfies Record<string, Tool>;

export type ToolName = keyof typeof tools | 'kubectl' | 'go';

/** The path of a program, undefined when it is nowhere. */
export function findTool(name: ToolName): string | undefined {
  const folders = [path.join(cache, 'bin'), ...(process.env.PATH ?? '').split(path.delimiter)];
  for (const folder of folders) {
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // not here
    }
  }
  return undefined;
}

function go(folder: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const { status, stdout, stderr } = spawnSync('go', args, {
    cwd: folder,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`go ${args.join(' ')} failed:\n${stderr.slice(-4000)}`);
  return stdout;
}

/** Builds a tool where it is missing. The Kubernetes ones take several minutes of all cores once. */
export function buildTool(name: keyof typeof tools): string {
  const there = findTool(name);
  if (there) return there;
  const { module, version, package: program, tags = '', replaced: replacedBy = '' }: Tool = tools[name];
  const folder = path.join(cache, 'src', name);
  mkdirSync(folder, { recursive: true });
  mkdirSync(path.join(cache, 'bin'), { recursive: true });
  console.log(`building ${name} ${version} …`);
  const replaced = module === 'k8s.io/kubernetes' ? stagingModules(folder, version) : replacedBy;
  writeFileSync(
    path.join(folder, 'go.mod'),
    `module hourglass.test/tools\n\ngo 1.25.0\n\nrequire ${module} ${version}\n${replaced}`,
  );
  writeFileSync(path.join(folder, 'tools.go'), `//go:build tools\n\npackage tools\n\nimport _ "${program}"\n`);
  const output = path.join(cache, 'bin', name);
  const stamp = `-X k8s.io/component-base/version.gitVersion=v${kubernetes}`;
  const flags = `-s -w ${module === 'k8s.io/kubernetes' ? stamp : ''}`;
  // -mod=mod fetches what this program needs and no more; `go mod tidy` would fetch what the tests of all modules need.
  const how = ['-mod=mod', '-trimpath', '-tags', `tools,${tags}`, '-ldflags', flags];
  go(folder, ['build', ...how, '-o', output, program]);
  return output;
}

/**
 * k8s.io/kubernetes asks for its staging modules at v0.0.0 and replaces them by folders that its module archive lacks: name
 * the versions that were published with it.
 */
function stagingModules(folder: string, version: string): string {
  const { GoMod } = JSON.parse(go(folder, ['mod', 'download', '-json', `k8s.io/kubernetes@${version}`])) as {
    GoMod: string;
  };
  const published = version.replace(/^v1\./, 'v0.');
  const lines = [...readFileSync(GoMod, 'utf8').matchAll(/^\t(k8s\.io\/[a-z-]+) => \.\/staging/gm)].map(
    ([, name]) => `\t${name} => ${name} ${published}`,
  );
  return `\nreplace (\n${lines.join('\n')}\n)\n`;
}

/** The folder of a Go module's source, for the CustomResourceDefinitions in it. */
export function moduleFolder(module: string, version: string): string {
  const { Dir } = JSON.parse(go(os.tmpdir(), ['mod', 'download', '-json', `${module}@${version}`])) as { Dir: string };
  return Dir;
}
