// Where nobody traces, the packages that make and send spans are not loaded.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const dist = path.resolve(import.meta.dirname, '../../dist');

/** Packages of OpenTelemetry that a process has loaded after it ran `code`. */
async function loadedBy(code: string): Promise<string[]> {
  const program = `
    import { createRequire } from 'node:module';
    ${code}
    const loaded = Object.keys(createRequire(import.meta.url).cache).map((file) => file.split(/[\\\\/]/));
    const packages = loaded.filter((parts) => parts.includes('@opentelemetry')).map((parts) => parts[parts.indexOf('@opentelemetry') + 1]);
    console.log(JSON.stringify([...new Set(packages)].sort()));
    process.exit(0);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { cwd: dist });
  return JSON.parse(stdout) as string[];
}

it('gateway and worker load nothing of OpenTelemetry but its interface', async () => {
  const parts = ['gateway/gateway.js', 'serve/model-predictor.js', 'worker/worker.js'];
  expect(await loadedBy(parts.map((part) => `await import('./${part}');`).join('\n'))).toEqual(['api']);
});

it('tracing loads the SDK and the exporter', async () => {
  const open = `const { Tracing } = await import('./telemetry/tracing.js');
    await Tracing.open({ service: 's', version: '0', sampler: 'always_off', ratio: 1, warn() {} });`;
  expect(await loadedBy(open)).toEqual(
    expect.arrayContaining(['api', 'exporter-trace-otlp-proto', 'resources', 'sdk-trace']),
  );
});
