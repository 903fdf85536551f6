/** A bundle's files, each checked against the manifest before it is used. */

import { HourglassError } from '../base/errors.ts';
import { firstPreprocessing, newestVersion, type Preprocessing, pictureShapeOf } from '../picture/preprocessing.ts';
import { decodeText, sha256 } from './environment.ts';
import { readTar } from './tar.ts';

/** `int8`: a quarter of the size, at a small cost that the manifest states. */
export type Weights = 'float32' | 'int8';

/** What of a bundle's manifest is read. */
export interface BundleManifest {
  readonly format: number;
  readonly model: string;
  readonly decoder: string;
  readonly inputShape: readonly number[];
  readonly codeShape: readonly number[];
  readonly inputRange: readonly [number, number];
  /** value of a row = value of the uploaded data / divisor; absent in bundles of older releases */
  readonly inputScaling?: { readonly divisor: number };
  /** rows are series, in which NaN is what was not observed */
  readonly gaps?: boolean;
  /** how pictures become rows; absent where rows are not pictures */
  readonly preprocessing?: Preprocessing;
  /** the same encoder in other weights; absent in bundles of older releases */
  readonly variants?: readonly EncoderVariant[];
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly sha256: string }[];
}

export interface EncoderVariant {
  readonly weights: Weights;
  readonly encoder: string;
  readonly golden: string;
  /** by quality, on held-out rows: the share of symbols that equal those of float32 weights, and dB */
  readonly qualities: readonly { readonly equalSymbols: number; readonly psnr: number }[];
}

export interface GoldenVectors {
  readonly inputs: string;
  readonly rows: number;
  readonly cases: readonly { readonly quality: number; readonly symbols: readonly number[]; readonly frame: string }[];
}

export interface OpenBundle {
  readonly manifest: BundleManifest;
  /** Throws `model-corrupt`. */
  bytes(path: string): Promise<Uint8Array>;
  /** Throws `model-corrupt`. */
  json<T>(path: string): Promise<T>;
}

const damaged = (): HourglassError => new HourglassError('model-corrupt', 'The bundle is damaged. Get it again.');

/** Whatever `read` throws is a damaged bundle. */
export function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw damaged();
  }
}

export const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

const parse = <T>(bytes: Uint8Array): T => guarded(() => JSON.parse(decodeText(bytes)) as T);

/** Throws `model-corrupt`, `unsupported-schema` when a newer release made it. */
export function openBundle(bundle: Uint8Array): OpenBundle {
  const files = guarded(() => readTar(bundle));
  const manifest = parse<BundleManifest>(files.get('manifest.json') ?? new Uint8Array());
  if (manifest.format !== 1) {
    throw new HourglassError('unsupported-schema', `The bundle's format is ${manifest.format}; this release reads 1.`);
  }
  // a codec for pictures of any size has no rows
  const described = 'kind' in manifest ? manifest : withPreprocessing(manifest);
  return { manifest: described, ...filesOf(files, manifest) };
}

/** Bundles of older releases do not state it. Throws `unsupported-schema`. */
function withPreprocessing(manifest: BundleManifest): BundleManifest {
  if (!pictureShapeOf(manifest.inputShape)) return manifest;
  const { preprocessing = firstPreprocessing } = manifest;
  if (preprocessing.version <= newestVersion) return { ...manifest, preprocessing };
  throw new HourglassError(
    'unsupported-schema',
    `The model's pictures are prepared by version ${preprocessing.version}; this release knows versions up to ${newestVersion}.`,
  );
}

function filesOf(files: ReadonlyMap<string, Uint8Array>, manifest: BundleManifest): Pick<OpenBundle, 'bytes' | 'json'> {
  const bytes = async (path: string): Promise<Uint8Array> => {
    const found = files.get(path);
    const entry = manifest.files.find((file) => file.path === path);
    if (!found || !entry) throw damaged();
    // pages that are not served over https have no subtle crypto; the golden vectors hold there all the same
    const hash = await sha256(found);
    if (hash && hexOf(hash) !== entry.sha256) throw damaged();
    return found;
  };
  return { bytes, json: async (path) => parse(await bytes(path)) };
}
