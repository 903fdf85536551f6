/** `hourglass encode | decode | denoise | classify | generate`: what models answer, for files and pipes. */

import { type Call, type Command, count, exitCodes, type OptionSpec, required, text } from '../command.ts';
import { send } from '../send.ts';
import { UsageError } from '../usage-error.ts';

const frameType = 'application/vnd.hourglass.frame';
const output: OptionSpec = { type: 'string', short: 'o', value: 'FILE', help: 'where the answer goes; - for stdout' };
const model: OptionSpec = { type: 'string', short: 'm', value: 'MODEL', help: 'digits, digits@2 or digits:stable' };

/** Of the picture types, by the first bytes of the file. */
function pictureType(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  if (head.startsWith('\x89PNG')) return 'image/png';
  if (head.startsWith('\xff\xd8')) return 'image/jpeg';
  if (head.startsWith('RIFF') && head.endsWith('WEBP')) return 'image/webp';
  if (head.startsWith('{')) return 'application/json';
  throw new UsageError('The file is neither a picture (PNG, JPEG, WebP) nor JSON {"inputs": [[…]]}.');
}

async function ask(
  call: Call,
  operation: string,
  accept: string,
  query: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const file = call.words[0] ?? '-';
  const bytes = await call.terminal.read(file);
  const type = pictureType(bytes);
  const search = new URLSearchParams({ ...(type.startsWith('image/') && { resize: 'true' }), ...query });
  const path = `/v1/models/${encodeURIComponent(required(call, 'model'))}/${operation}?${search}`;
  return send(call, path, bytes, { 'content-type': type, accept });
}

const bytesOf = async (answer: Response): Promise<Uint8Array> => new Uint8Array(await answer.arrayBuffer());

async function printed(call: Call, answer: Response): Promise<number> {
  const value: unknown = await answer.json();
  call.terminal.json(value);
  call.terminal.line(JSON.stringify(value, null, 2));
  return exitCodes.done;
}

const encode: Command = {
  name: 'encode',
  summary: 'Encodes a picture to a frame of a few bytes; with --json to the numbers of its code.',
  usage: ['FILE|- --model MODEL [-o FILE] [--max-bytes N | --quality N | --psnr DB]'],
  options: {
    ...{ model, output },
    'max-bytes': { type: 'string', value: 'N', help: 'at most so many bytes' },
    quality: { type: 'string', value: 'N', help: 'quality, 0 the coarsest' },
    psnr: { type: 'string', value: 'DB', help: 'at least so many dB' },
  },
  examples: [
    'hourglass encode img.png -m digits -o code.hgf',
    'hourglass encode img.png -m digits -o - | hourglass decode - -o out.png',
    "hourglass encode img.png -m digits --json | jq '.codes[0]'",
  ],
  async run(call) {
    if (call.terminal.isJson) return printed(call, await ask(call, 'encode', 'application/json'));
    const [maxBytes, quality, psnr] = [count(call, 'max-bytes'), count(call, 'quality'), count(call, 'psnr')];
    const target = Object.entries({ maxBytes, quality, psnr }).filter(([, value]) => value !== undefined);
    const answer = await ask(
      call,
      'encode',
      frameType,
      Object.fromEntries(target.map(([name, value]) => [name, String(value)])),
    );
    await call.terminal.write(text(call, 'output'), await bytesOf(answer));
    return exitCodes.done;
  },
};

const decode: Command = {
  name: 'decode',
  summary: 'Decodes a frame to a picture; with --json to numbers.',
  usage: ['FILE|- [-o FILE]'],
  options: { output },
  examples: ['hourglass decode code.hgf -o out.png'],
  async run(call) {
    const frame = await call.terminal.read(call.words[0] ?? '-');
    const accept = call.terminal.isJson ? 'application/json' : 'image/png';
    const answer = await send(call, '/decode', frame, { 'content-type': frameType, accept });
    if (call.terminal.isJson) return printed(call, answer);
    await call.terminal.write(text(call, 'output'), await bytesOf(answer));
    return exitCodes.done;
  },
};

const denoise: Command = {
  name: 'denoise',
  summary: 'Removes noise from a picture.',
  usage: ['FILE|- --model MODEL [-o FILE]'],
  options: { model, output },
  examples: ['hourglass denoise noisy.png -m digits-denoiser -o clean.png'],
  async run(call) {
    if (call.terminal.isJson) return printed(call, await ask(call, 'denoise', 'application/json'));
    await call.terminal.write(text(call, 'output'), await bytesOf(await ask(call, 'denoise', 'image/png')));
    return exitCodes.done;
  },
};

const classify: Command = {
  name: 'classify',
  summary: 'Says which class a picture belongs to.',
  usage: ['FILE|- --model MODEL'],
  options: { model },
  examples: ['hourglass classify img.png -m digits-classes'],
  async run(call) {
    const answer = (await (await ask(call, 'classify', 'application/json')).json()) as {
      readonly labels: readonly number[];
      readonly classes: readonly string[];
      readonly probabilities: readonly (readonly number[])[];
    };
    call.terminal.json(answer);
    for (const [i, label] of answer.labels.entries()) {
      call.terminal.line(
        `${answer.classes[label] ?? label} ${((answer.probabilities[i]?.[label] ?? 0) * 100).toFixed(1)} %`,
      );
    }
    return exitCodes.done;
  },
};

const generate: Command = {
  name: 'generate',
  summary: 'Makes new rows: one as a picture, several as .npy or JSON.',
  usage: ['--model MODEL [--count N] [--seed N] [-o FILE]'],
  options: {
    ...{ model, output },
    count: { type: 'string', short: 'n', value: 'N', help: 'rows; default 1' },
    seed: { type: 'string', value: 'N', help: 'the same seed, the same rows' },
  },
  examples: ['hourglass generate -m faces -o face.png', 'hourglass generate -m faces -n 100 -o faces.npy'],
  async run(call) {
    const rows = count(call, 'count') ?? 1;
    const seed = count(call, 'seed');
    const path = `/v1/models/${encodeURIComponent(required(call, 'model'))}/generate`;
    const body = JSON.stringify({ count: rows, ...(seed !== undefined && { seed }) });
    const isNpy = rows > 1 || text(call, 'output')?.endsWith('.npy');
    const accept = call.terminal.isJson ? 'application/json' : isNpy ? 'application/octet-stream' : 'image/png';
    const answer = await send(call, path, body, { 'content-type': 'application/json', accept });
    if (call.terminal.isJson) return printed(call, answer);
    const bytes = await bytesOf(answer);
    const shape = answer.headers.get('x-hourglass-shape') ?? `${rows}`;
    await call.terminal.write(text(call, 'output'), isNpy ? npy(bytes, shape) : bytes);
    return exitCodes.done;
  },
};

/** Little-endian float32 as NumPy reads it (NEP 1, version 1.0). */
function npy(bytes: Uint8Array, shape: string): Uint8Array {
  const facts = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.split(',').join(', ')},), }`;
  const head = `${facts}${' '.repeat(63 - ((10 + facts.length) % 64))}\n`;
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.from([head.length & 255, head.length >> 8]),
    Buffer.from(head, 'latin1'),
    bytes,
  ]);
}

export const predictionCommands: readonly Command[] = [encode, decode, denoise, classify, generate];
