/**
 * What a version carries for devices, made when it is published: `codec.bin`, how its codes are quantised and coded, and
 * `bundle.tar`, everything a device needs to encode for it.
 *
 *   bundle.tar   manifest.json (decoder's hash, shapes, files with SHA-256) · encoder.onnx · codec.bin · golden.json
 *                encoder.int8.onnx · golden.int8.json
 */

import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { HourglassError } from '../base/errors.ts';
import { sizeOf } from '../base/ndarray.ts';
import type { Profile } from '../codec/profile.ts';
import { profileFromBytes, profileToBytes } from '../codec/profile-bytes.ts';
import type { Dataset } from '../data/dataset.ts';
import { type Coder, type ModelFiles, openCoder } from './coder.ts';
import { goldenVectors } from './golden.ts';
import { fitLadder, type TrainedQuantiser } from './ladder.ts';
import { encoderVariants } from './variants.ts';

export interface BundleOptions extends ModelFiles {
  readonly name: string;
  readonly dataset: Dataset;
  readonly threads?: number;
  /** of a model trained for compression */
  readonly quantiser?: TrainedQuantiser;
}

/** What the version's manifest says of its codec. */
export interface CodecSummary {
  /** SHA-256 over decoder.onnx, then codec.bin; frames carry its beginning */
  readonly hash: string;
  /** from coarse to fine, as measured on held-out rows */
  readonly qualities: { bytesPerRow: number; psnr: number; lambda: number }[];
}

export interface Bundle {
  readonly files: Readonly<Record<'codec.bin' | 'bundle.tar', Uint8Array>>;
  readonly codec: CodecSummary;
}

/** Rows read to fit and to measure; three of four are for fitting. */
const maxRows = 2000;
/** Of a model trained for compression: its rows fall into clusters, whose many tables take many rows to fit. */
const clusters = 32;
const clusterRows = 18_000;
/** Values that may be held at once. */
const maxValues = 2 ** 24;
const maxUnits = 2048;

/**
 * Fits on the training split's last rows: those that are held out from training, if any are. Throws `operation-not-supported`
 * with the reason when codes of this model cannot be coded.
 */
export async function buildBundle(options: BundleOptions): Promise<Bundle> {
  const { dataset, inputShape, codeShape, quantiser } = options;
  const rowSize = sizeOf(inputShape);
  const units = sizeOf(codeShape);
  if (units > maxUnits) throw uncodable(`its code has ${units} units; up to ${maxUnits} are coded`);
  const range: readonly [number, number] = [dataset.info.range[0], dataset.info.range[1]];
  const span = range[1] - range[0];
  if (!(span > 0)) throw uncodable('all values of its data are the same');
  const { fitRows, measureRows } = await readRows(dataset, rowSize, quantiser ? clusterRows : 0);
  const coder = openCoder(options, options.threads);
  try {
    const { body, lambdas } = await fitLadder({
      coder,
      fitRows,
      measureRows,
      rowSize,
      codeShape,
      span,
      quantiser,
      ...(quantiser && { clusters }),
    });
    if (body.qualities.length === 0) throw uncodable('its codes carry nothing that could be sent');
    const codecBytes = profileToBytes(body);
    const hash = createHash('sha256').update(options.decoder).update(codecBytes).digest();
    // as devices read it: floats rounded to what the file holds
    const profile = { hash, ...profileFromBytes(codecBytes) };
    const qualities = profile.qualities.map(({ bytesPerRow, psnr }, i) => ({
      bytesPerRow: rounded(bytesPerRow),
      psnr: rounded(psnr),
      lambda: lambdas[i] as number,
    }));
    const codec = { hash: hash.toString('hex'), qualities };
    return {
      files: {
        'codec.bin': codecBytes,
        'bundle.tar': await archive(options, { coder, profile, range, codec, codecBytes, measureRows }),
      },
      codec,
    };
  } catch (error) {
    if (error instanceof RangeError) throw uncodable('its codes are beyond what can be quantised');
    throw error;
  } finally {
    coder.dispose();
  }
}

interface Contents {
  readonly coder: Coder;
  readonly profile: Profile;
  readonly range: readonly [number, number];
  readonly codec: CodecSummary;
  readonly codecBytes: Uint8Array;
  readonly measureRows: Float32Array;
}

async function archive(
  options: BundleOptions,
  { coder, profile, range, codec, codecBytes, measureRows }: Contents,
): Promise<Uint8Array> {
  const { name, inputShape, codeShape, encoder, threads = 1 } = options;
  const rowSize = sizeOf(inputShape);
  const golden = await goldenVectors({ coder, profile, rowSize, range });
  const { files: variantFiles, variants } = await encoderVariants({
    ...{ coder, profile, measureRows, rowSize, range, threads },
    model: options,
  });
  const files: Record<string, Uint8Array> = {
    'encoder.onnx': encoder,
    'codec.bin': codecBytes,
    'golden.json': Buffer.from(JSON.stringify(golden)),
    ...variantFiles,
  };
  const manifest = {
    format: 1,
    model: name,
    decoder: codec.hash,
    inputShape,
    codeShape,
    inputRange: range,
    inputScaling: options.dataset.info.scaling,
    ...(options.dataset.info.series && { gaps: true }),
    ...(options.dataset.info.preprocessing && { preprocessing: options.dataset.info.preprocessing }),
    qualities: codec.qualities.map(({ bytesPerRow, psnr }) => ({ bytesPerRow, psnr })),
    variants,
    files: Object.entries(files).map(([path, bytes]) => ({
      path,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    })),
  };
  const tar = pack();
  const whole = buffer(tar);
  for (const [path, bytes] of [
    ['manifest.json', Buffer.from(JSON.stringify(manifest))],
    ...Object.entries(files),
  ] as const) {
    // a job that publishes again must give the same bytes
    tar.entry({ name: path, mtime: new Date(0) }, Buffer.from(bytes));
  }
  tar.finalize();
  return whole;
}

/** The split's last rows, which were held out from training if any were; `more` rows before them are for fitting alone. */
async function readRows(
  dataset: Dataset,
  rowSize: number,
  more: number,
): Promise<{ fitRows: Float32Array; measureRows: Float32Array }> {
  const split = dataset.split('train');
  const last = Math.min(maxRows, split.length);
  if (last < 8) throw uncodable(`its data set has ${split.length} rows; 8 are the least to fit tables on`);
  const extra = Math.max(0, Math.min(more, split.length - last, Math.floor(maxValues / rowSize) - last));
  const count = last + extra;
  const rows = new Float32Array(count * rowSize);
  await split.readRange(split.length - count, split.length, rows);
  const pick = (keep: (row: number) => boolean): Float32Array => {
    const chosen = Array.from({ length: count }, (_, row) => row).filter(keep);
    const out = new Float32Array(chosen.length * rowSize);
    for (const [i, row] of chosen.entries()) out.set(rows.subarray(row * rowSize, (row + 1) * rowSize), i * rowSize);
    return out;
  };
  // every fourth, so that rows sorted by class are in both
  const isMeasured = (row: number): boolean => row >= extra && (row - extra) % 4 === 3;
  return { fitRows: pick((row) => !isMeasured(row)), measureRows: pick(isMeasured) };
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

const uncodable = (why: string): HourglassError =>
  new HourglassError('operation-not-supported', `No frames can be made for this model: ${why}.`);
