// The command line as scripts use it, and the examples: against a real gateway and worker; output, files, pipes and exit codes.
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import vm from 'node:vm';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../src/data/image.ts';
import { type Running, startUp } from '../helpers/running.ts';

const program = path.resolve(import.meta.dirname, '../../dist/main.js');
let server: Running;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'hourglass-cli-'));
  server = await startUp();
}, 120_000);
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Result {
  readonly code: number;
  readonly out: Buffer;
  readonly text: string;
  readonly notes: string;
}

function run(words: readonly string[], input?: string | Uint8Array, url = server.url): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...words],
      { cwd: folder, encoding: 'buffer', env: { PATH: process.env.PATH, HOURGLASS_URL: url } },
      (error, out, notes) => {
        const code = error === null ? 0 : Number(error.code ?? 1);
        resolve({ code, out, text: out.toString(), notes: notes.toString() });
      },
    );
    child.stdin?.end(input);
  });
}

const json = async <T>(...words: string[]): Promise<T> => JSON.parse((await run([...words, '--json'])).text) as T;
const inFolder = (file: string): string => path.join(folder, file);
const gradient = (): Uint8Array => Uint8Array.from({ length: 64 }, (_, i) => 4 * i);

describe('hourglass', () => {
  it('uploads a table, tries a job, trains it from a pipe and follows it to its model', async () => {
    const lines = Array.from({ length: 120 }, (_, i) => `${i % 7},${i % 5},${i % 3},${i % 2 ? 'odd' : 'even'}`);
    writeFileSync(inFolder('table.csv'), `a,b,c,kind\n${lines.join('\n')}\n`);
    const added = await run(['datasets', 'add', 'table.csv', '--options', '{"labelColumn":"kind"}']);
    expect([added.code, added.text]).toEqual([0, expect.stringContaining('table: ')]);
    const { datasets } = await json<{ datasets: { name: string }[] }>('datasets');
    expect(datasets.map(({ name }) => name)).toContain('table');

    const check = await run(['train', '--dataset', 'table', '--type', 'dense', '--code', '0', '--check']);
    expect([check.code, check.notes]).toEqual([1, expect.stringContaining('/model/code')]);
    const tried = await json<{ spec: { model: object } }>(
      ...['train', '--dataset', 'table', '--type', 'dense', '--code', '2', '--set', 'model.hidden=8,4', '--check'],
    );
    expect(tried.spec.model).toMatchObject({ type: 'dense', code: 2, hidden: [8, 4] });
    expect(await json('jobs')).toEqual({ jobs: [] });

    const request = { name: 'kinds', dataset: 'table', model: { type: 'dense', code: 2 }, training: { epochs: 2 } };
    const trained = await run(['train', '-', '--follow'], JSON.stringify(request));
    expect([trained.code, trained.text]).toEqual([0, 'kinds@1\n']);
    expect(trained.notes).toMatch(/train epoch 2: loss/);
    const { jobs } = await json<{ jobs: { id: string; state: string }[] }>('jobs', '--search', 'kinds');
    expect(jobs).toMatchObject([{ state: 'succeeded' }]);
    const again = await run(['jobs', 'events', jobs[0]?.id ?? '', '--json']);
    expect(
      again.text
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { event: string }).event),
    ).toContain('end');
    expect((await run(['jobs', 'rm', jobs[0]?.id ?? ''])).code).toBe(0);
    expect((await run(['jobs', 'show', jobs[0]?.id ?? ''])).code).toBe(1);
  }, 120_000);

  it('trains on pictures, encodes through a pipe, decodes, moves an alias and downloads', async () => {
    const png = await encodePng(gradient(), { height: 8, width: 8, channels: 1 });
    writeFileSync(inFolder('img.png'), png);
    const npy = npyOf(200, 8, 8);
    expect((await run(['datasets', 'add', '-', '--name', 'squares'], npy)).code).toBe(0);
    const trained = await run([
      'train',
      '--dataset',
      'squares',
      '--type',
      'variational',
      '--name',
      'squares',
      '--code',
      '4',
      '--epochs',
      '2',
      '--follow',
    ]);
    expect([trained.code, trained.text]).toEqual([0, 'squares@1\n']);

    const frame = await run(['encode', 'img.png', '-m', 'squares']);
    expect([frame.code, frame.out.length < 40]).toEqual([0, true]);
    const decoded = await run(['decode', '-', '-o', 'out.png'], frame.out);
    expect([decoded.code, readFileSync(inFolder('out.png')).subarray(1, 4).toString()]).toEqual([0, 'PNG']);
    const { codes } = await json<{ codes: number[][] }>('encode', 'img.png', '-m', 'squares');
    expect(codes[0]?.length).toBe(4);
    expect((await run(['generate', '-m', 'squares', '-n', '3', '--seed', '1', '-o', 'new.npy'])).code).toBe(0);
    expect(readFileSync(inFolder('new.npy')).length).toBe(128 + 3 * 64 * 4);

    expect((await run(['models', 'alias', 'squares', 'stable', '1'])).text).toBe('squares:stable is version 1\n');
    expect(await json('models', 'show', 'squares')).toMatchObject({ aliases: { stable: 1 } });
    expect((await run(['models', 'bundle', 'squares:stable', '-o', 'squares.tar'])).code).toBe(0);
    expect(readFileSync(inFolder('squares.tar')).subarray(257, 262).toString()).toBe('ustar');
    const load = await json<{ requests: number; milliseconds: { p50: number } }>(
      ...['bench', '-m', 'squares', '--seconds', '0.3', '--connections', '2'],
    );
    expect(load.requests).toBeGreaterThan(0);
  }, 120_000);

  it('uploads a folder of pictures of any size, its folders as classes', async () => {
    for (const [kind, side] of [
      ['dark', 9],
      ['light', 12],
    ] as const) {
      mkdirSync(inFolder(`My Pictures/${kind}`), { recursive: true });
      for (let i = 0; i < 3; i++) {
        const pixels = new Uint8Array(side * side).fill(side * 10 + i);
        const png = await encodePng(pixels, { height: side, width: side, channels: 1 });
        writeFileSync(inFolder(`My Pictures/${kind}/${i}.PNG`), png);
      }
    }
    writeFileSync(inFolder('My Pictures/notes.txt'), 'not a picture');
    const plain = await run(['datasets', 'add', 'My Pictures']);
    expect([plain.code, plain.notes]).toEqual([1, expect.stringContaining('resize')]);
    const added = await run(['datasets', 'add', 'My Pictures', '--resize', '8x6']);
    expect([added.code, added.text]).toEqual([
      0,
      expect.stringMatching(/^my-pictures: \d training rows, \d test rows? of 6×8×1\n$/),
    ]);
    expect(await json('datasets', 'show', 'my-pictures')).toMatchObject({ classNames: ['dark', 'light'] });
    const wrong = await run(['datasets', 'add', 'My Pictures', '--resize', '8']);
    expect([wrong.code, wrong.notes]).toEqual([2, expect.stringContaining('32x32')]);
  }, 60_000);

  it('tells what went wrong by its exit code, and how it is meant', async () => {
    const [missing, wrong, away, none, help] = await Promise.all([
      run(['models', 'show', 'nothing', '--json']),
      run(['jobs', '--colour', 'red']),
      run(['jobs'], undefined, 'http://127.0.0.1:1'),
      run(['train']),
      run(['train', '--help']),
    ]);
    expect([missing.code, JSON.parse(missing.text)]).toEqual([
      1,
      { error: expect.objectContaining({ code: 'model-not-found' }) },
    ]);
    expect([wrong.code, wrong.notes]).toEqual([2, expect.stringContaining('hourglass jobs --help')]);
    expect([away.code, away.notes]).toEqual([3, expect.stringContaining('http://127.0.0.1:1')]);
    expect(none.code).toBe(2);
    expect([help.code, help.text]).toEqual([0, expect.stringContaining('Examples:')]);
  }, 60_000);

  it('can be run by its name, as npx does', () => {
    expect(spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('shows who changed what, in pages as long as wanted', async () => {
    const { entries } = await json<{ entries: { action: string; target: string }[] }>('audit');
    expect(entries).toEqual(
      expect.arrayContaining([expect.objectContaining({ action: 'dataset.create', target: 'datasets/table' })]),
    );
    const { code, text, notes } = await run(['audit', '--limit', '1']);
    expect([code, text.trim().split('\n').length, notes]).toEqual([0, 2, expect.stringContaining('There are more')]);
    expect(await run(['audit', '--tenant', 'acme'])).toMatchObject({ code: 0 });
  });

  it('completes commands and options in bash', async () => {
    const script = (await run(['completion', 'bash'])).text;
    const asked = `${script}\nCOMP_WORDS=(hourglass jobs --st); COMP_CWORD=2; _hourglass; echo "\${COMPREPLY[@]}"\nCOMP_WORDS=(hourglass den); COMP_CWORD=1; _hourglass; echo "\${COMPREPLY[@]}"`;
    expect(spawnSync('bash', ['-c', asked], { encoding: 'utf8' }).stdout).toBe('--state\ndenoise\n');
    for (const shell of ['zsh', 'fish']) expect((await run(['completion', shell])).text).toContain('datasets');
    expect((await run(['completion', 'tcsh'])).code).toBe(2);
  });
});

describe('the examples', () => {
  const examples = path.resolve(import.meta.dirname, '../../examples');
  const env = { ...process.env, HOURGLASS_URL: '' };
  const runExample = (program: string, words: readonly string[]) =>
    spawnSync(program, words, {
      cwd: folder,
      encoding: 'utf8',
      env: { ...env, HOURGLASS_URL: server.url },
      timeout: 60_000,
    });
  /** One script of an example and the SDK, as somebody who has installed the package bundles it. */
  const bundled = async (file: string, format: 'esm' | 'iife'): Promise<string> => {
    const { outputFiles } = await build({
      entryPoints: [path.join(examples, file)],
      alias: { 'hourglass-sdk': path.resolve(examples, '../src/sdk/index.ts') },
      ...{ bundle: true, format, globalName: 'example', write: false, platform: 'neutral' },
    });
    return outputFiles[0]?.text ?? '';
  };

  it('curl: uploads, trains, follows and moves an alias; then sends a picture as a frame', async () => {
    writeFileSync(inFolder('drawn.npy'), npyOf(200, 8, 8));
    const trained = runExample(path.join(examples, 'curl/train.sh'), ['drawn.npy', 'drawn']);
    expect([trained.status, trained.stderr]).toEqual([0, '']);
    expect(trained.stdout.match(/^epoch \{/gm)).toHaveLength(3);
    expect(trained.stdout).toContain('drawn:stable is version 1; its report: ');
    const again = runExample(path.join(examples, 'curl/train.sh'), ['drawn.npy', 'drawn']);
    expect([again.status, again.stderr]).toEqual([22, expect.stringContaining('dataset-exists')]);
    const words = ['img.png', 'drawn:stable', 'drawn.hgf', 'drawn.png'];
    const sent = runExample(path.join(examples, 'curl/frame.sh'), words);
    expect([sent.status, sent.stderr]).toEqual([0, '']);
    expect(readFileSync(inFolder('drawn.hgf')).length).toBeLessThan(40);
    expect(readFileSync(inFolder('drawn.png')).subarray(1, 4).toString()).toBe('PNG');
  }, 90_000);

  it('TypeScript: encodes on the device, sends and decodes', async () => {
    writeFileSync(inFolder('send-frame.mjs'), await bundled('typescript/send-frame.ts', 'esm'));
    const { status, stdout, stderr } = runExample(process.execPath, ['send-frame.mjs', 'drawn']);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /^\d+ bytes of picture in a frame of \d+, about [\d.]+ dB\ndecoded by drawn@1: 8 × 8\n0 frames wait\n$/,
    );
  }, 60_000);

  it('React Native: in an engine without a platform, frames wait in storage and go out later', async () => {
    const context = vm.createContext({ setTimeout, clearTimeout });
    vm.runInContext(await bundled('react-native/frames.ts', 'iife'), context);
    for (const name of ['Response', 'TextDecoder', 'atob', 'crypto', 'URL', 'fetch'])
      expect(vm.runInContext(`typeof ${name}`, context)).toBe('undefined');
    const { openFrameSender } = vm.runInContext(
      'example',
      context,
    ) as typeof import('../../examples/react-native/frames.ts');
    const kept = new Map<string, string>();
    let isAway = false;
    const answers: number[] = [];
    const open = () =>
      openFrameSender({
        ...{ baseUrl: server.url, model: 'drawn' },
        storage: {
          getItem: async (key) => kept.get(key) ?? null,
          setItem: async (key, value) => void kept.set(key, value),
        },
        fetch: async (url, request) => {
          if (isAway && url.endsWith('/decode')) throw new TypeError('Network request failed');
          const answer = await fetch(url, request as RequestInit);
          return {
            ...{ ok: answer.ok, status: answer.status, headers: answer.headers },
            ...{ arrayBuffer: () => answer.arrayBuffer(), json: () => answer.json(), text: () => answer.text() },
          };
        },
        onDelivered: ({ data }) => answers.push(data.length),
        onRefused: (message) => expect(message).toBe(''),
      });
    const pixels = { width: 16, height: 16, data: new Uint8ClampedArray(4 * 256).fill(200) };
    const sender = await open();
    expect((await sender.send(pixels, 40)).waiting).toBe(0);
    isAway = true;
    const { bytes, waiting } = await sender.send(pixels, 40);
    expect([bytes <= 40, waiting, answers]).toEqual([true, 1, [64]]);
    isAway = false;
    // the app was closed in between
    expect(await (await open()).flush()).toBe(0);
    expect(answers).toEqual([64, 64]);
  }, 60_000);

  const python = process.env.PYTHON ?? 'python3';
  const hasModules = spawnSync(python, ['-c', 'import numpy, requests']).status === 0;
  if (!hasModules) console.warn(`NOT RUN: ${python} has no numpy and requests for examples/python/explore.py`);
  it.skipIf(!hasModules)(
    'Python: codes, PCA beside the model, and a frame',
    () => {
      const { status, stdout, stderr } = runExample(python, [path.join(examples, 'python/explore.py'), 'drawn']);
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(
        /^drawn@1: 64 numbers to 4, [\d.]+ dB on \d+ rows\nPCA of these rows with 4 numbers: [\d.]+ dB\n/,
      );
      expect(stdout).toMatch(/a frame of \d+ bytes: [\d.]+ dB\n$/);
      const wrong = runExample(python, [path.join(examples, 'python/explore.py'), 'nothing']);
      expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining('model-not-found: ')]);
    },
    60_000,
  );
});

/** A .npy of uint8 pictures. */
function npyOf(rows: number, height: number, width: number): Buffer {
  const facts = `{'descr': '|u1', 'fortran_order': False, 'shape': (${rows}, ${height}, ${width}), }`;
  const head = `${facts.padEnd(117)}\n`;
  const values = Uint8Array.from({ length: rows * height * width }, (_, i) => (i * 7 + Math.floor(i / 64) * 13) % 256);
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.from([head.length, 0]),
    Buffer.from(head),
    values,
  ]);
}
