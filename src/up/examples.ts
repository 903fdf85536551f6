/**
 * Lines to paste into a shell, for a model that is there: they send a real row of its data set, which is written into the
 * data folder as the bodies of the requests.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sizeOf } from '../base/ndarray.ts';
import { RandomStream } from '../base/random.ts';
import type { DatasetStore } from '../data/dataset.ts';
import type { Manifest } from '../registry/manifest.ts';

export interface ExampleParts {
  readonly manifest: Manifest;
  readonly datasets: DatasetStore;
  /** of the REST API, such as http://127.0.0.1:8080 */
  readonly address: string;
  /** the sample bodies go here */
  readonly folder: string;
  /** where the person is; paths are shown relative to it when that is shorter */
  readonly currentFolder: string;
}

const noise = 0.5;

/** Throws what `DatasetStore.open` throws. */
export async function writeExamples(parts: ExampleParts): Promise<readonly string[]> {
  const { manifest, datasets, address, folder, currentFolder } = parts;
  const row = await sampleRow(datasets, manifest);
  const noisy = withNoise(row, manifest.inputRange);
  await mkdir(folder, { recursive: true });
  const write = async (name: string, content: string | Uint8Array): Promise<string> => {
    const file = path.join(folder, name);
    await writeFile(file, content);
    return shellWord(shorter(path.relative(currentFolder, file), file));
  };
  const body = await write('row.json', jsonBody(row));
  const noisyBody = await write('noisy.json', jsonBody(noisy));
  const target = (name: string): string => {
    const file = path.join(folder, name);
    return shellWord(shorter(path.relative(currentFolder, file), file));
  };
  const json = "-H 'content-type: application/json'";
  const frame = 'application/vnd.hourglass.frame';
  const at = (call: string): string => `${address}/v1/models/${manifest.name}/${call}`;
  const lines: string[] = [];
  const add = (comment: string, line: string): void => void lines.push(`# ${comment}`, line);
  const removesNoise = manifest.operations.includes('denoise');
  // of a model that removes noise only what it is for: its codes are not what it was trained to be good at
  if (manifest.operations.includes('encode') && !removesNoise) {
    const size = sizeOf(manifest.codeShape);
    add(`encode: ${sizeOf(manifest.inputShape)} numbers to ${size}`, `curl -s ${at('encode')} ${json} -d @${body}`);
  }
  if (manifest.codec && manifest.operations.includes('decode') && isPicture(manifest) && !removesNoise) {
    const [sent, picture] = [target('row.frame'), target('decoded.png')];
    const finest = manifest.codec.qualities.at(-1);
    add(
      `encode to a frame of a few bytes (about ${finest?.psnr.toFixed(1)} dB), and decode it to a picture; prints how many bytes were sent`,
      `curl -s ${at('encode')} ${json} -H 'accept: ${frame}' -d @${body} -o ${sent} -w '%{size_download} bytes\\n' && curl -s ${at('decode')} -H 'content-type: ${frame}' -H 'accept: image/png' --data-binary @${sent} -o ${picture}`,
    );
  }
  if (removesNoise) {
    add('denoise: a noisy row to a clean one', `curl -s ${at('denoise')} ${json} -d @${noisyBody}`);
  }
  if (removesNoise && isPicture(manifest)) {
    const picture = target('clean.png');
    add(
      'the same as a picture',
      `curl -s ${at('denoise')} ${json} -H 'accept: image/png' -d @${noisyBody} -o ${picture}`,
    );
  }
  return lines;
}

async function sampleRow(datasets: DatasetStore, { lineage }: Manifest): Promise<Float32Array> {
  const dataset = await datasets.open(lineage.dataset.name);
  try {
    const split = dataset.split(dataset.info.rows.test > 0 ? 'test' : 'train');
    const row = new Float32Array(split.rowSize);
    await split.readRange(0, 1, row);
    return row;
  } finally {
    await dataset.close();
  }
}

/** Gaussian, as the model was trained on; the same at each start. */
function withNoise(row: Float32Array, [low, high]: readonly [number, number]): Float32Array {
  const draws = new RandomStream(1, 'sample').normal(new Float32Array(row.length));
  return row.map((value, i) => Math.min(high, Math.max(low, value + noise * (high - low) * (draws[i] ?? 0))));
}

const jsonBody = (row: Float32Array): string =>
  JSON.stringify({ inputs: [Array.from(row, (value) => Number(value.toFixed(4)))] });

const isPicture = ({ inputShape }: Manifest): boolean =>
  inputShape.length === 3 && (inputShape[2] === 1 || inputShape[2] === 3);

const shorter = (a: string, b: string): string => (a.length < b.length ? a : b);
const shellWord = (text: string): string => (/^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
