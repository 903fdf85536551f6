/**
 * The programs that the checks of the chart need. From the PATH, or built with Go and kept in HOURGLASS_TOOLS (default:
 * hourglass-tools in the user's cache folder). Versions are pinned here.
 */

import { spawnSync } from 'node:child_process';
import { accessSync, constants, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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
} as const satisfies Record<string, Tool>;

export type ToolName = keyof typeof tools | 'kubectl' | 'go' | 'promcheck';

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
  const { module, version, package: program } = tools[name];
  const folder = path.join(cache, 'src', name);
  mkdirSync(folder, { recursive: true });
  mkdirSync(path.join(cache, 'bin'), { recursive: true });
  console.log(`building ${name} ${version} …`);
  const replaced = module === 'k8s.io/kubernetes' ? stagingModules(folder, version) : '';
  writeFileSync(
    path.join(folder, 'go.mod'),
    `module hourglass.test/tools\n\nrequire ${module} ${version}\n${replaced}`,
  );
  writeFileSync(path.join(folder, 'tools.go'), `//go:build tools\n\npackage tools\n\nimport _ "${program}"\n`);
  go(folder, ['mod', 'tidy', '-e']);
  const output = path.join(cache, 'bin', name);
  const stamp = `-X k8s.io/component-base/version.gitVersion=v${kubernetes}`;
  go(folder, [
    'build',
    '-trimpath',
    '-ldflags',
    `-s -w ${module === 'k8s.io/kubernetes' ? stamp : ''}`,
    '-o',
    output,
    program,
  ]);
  return output;
}

/** Prometheus 3.16 */
const prometheus = 'v0.316.0';

/** Builds promcheck.go where it is missing. */
export function buildPromcheck(): string {
  const there = findTool('promcheck');
  if (there) return there;
  const folder = path.join(cache, 'src/promcheck');
  mkdirSync(folder, { recursive: true });
  mkdirSync(path.join(cache, 'bin'), { recursive: true });
  console.log(`building promcheck with Prometheus ${prometheus} …`);
  copyFileSync(path.join(import.meta.dirname, 'promcheck.go'), path.join(folder, 'main.go'));
  writeFileSync(
    path.join(folder, 'go.mod'),
    `module hourglass.test/promcheck\n\nrequire github.com/prometheus/prometheus ${prometheus}\n`,
  );
  go(folder, ['mod', 'tidy', '-e']);
  const output = path.join(cache, 'bin/promcheck');
  go(folder, ['build', '-trimpath', '-ldflags', '-s -w', '-o', output, '.']);
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
