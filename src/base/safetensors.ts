/**
 * The safetensors format (https://github.com/huggingface/safetensors#format): weights and checkpoints on disk, readable
 * by every framework and free of code. Values are little-endian; each tensor starts at a multiple of its element size.
 *
 *   ┌ u64 LE: N ┬ N bytes of JSON, padded with spaces to 8 ┬ values ─────────┐
 *   └───────────┴──── name → dtype, shape, data_offsets ───┴── no holes ─────┘
 */

import { HourglassError } from './errors.ts';
import { type DataOf, type DType, type NdArray, type NdArrays, type Shape, sizeOf } from './ndarray.ts';

export interface Safetensors {
  readonly tensors: NdArrays;
  /** free text about the whole file, the format's `__metadata__` */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface SafetensorsLimits {
  /** longest header that is parsed, bytes; the reference implementation allows 100 MB */
  readonly maxHeaderBytes?: number;
  readonly maxTensors?: number;
}

const maxRank = 16;
const lengthBytes = 8;
const nameOf = { float32: 'F32', int32: 'I32', bool: 'BOOL' } as const satisfies Record<DType, string>;
const dtypeOf = new Map<unknown, DType>(Object.entries(nameOf).map(([dtype, name]) => [name, dtype as DType]));
const elementBytes = { float32: 4, int32: 4, bool: 1 } as const satisfies Record<DType, number>;

/**
 * The file's bytes. Deterministic: the same tensors and metadata give the same bytes in whatever order they are named.
 * Wider elements come first, which keeps every tensor aligned.
 */
export function writeSafetensors(
  tensors: NdArrays,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(tensors).sort(
    ([nameA, a], [nameB, b]) => elementBytes[b.dtype] - elementBytes[a.dtype] || (nameA < nameB ? -1 : 1),
  );
  // joined by hand: an object would put names such as "10" before all others
  const parts: string[] = [];
  const texts = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  if (texts.length > 0) {
    parts.push(`"__metadata__":{${texts.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(',')}}`);
  }
  let end = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    if (name === '__metadata__') throw new TypeError('__metadata__ is not a tensor name');
    if (data.length !== sizeOf(shape)) throw new TypeError(`${name} has ${data.length} values for its shape`);
    const start = end;
    end += data.byteLength;
    parts.push(
      `${JSON.stringify(name)}:${JSON.stringify({ dtype: nameOf[dtype], shape, data_offsets: [start, end] })}`,
    );
  }
  const json = new TextEncoder().encode(`{${parts.join(',')}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(lengthBytes + headerBytes + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(0x20, lengthBytes, lengthBytes + headerBytes);
  bytes.set(json, lengthBytes);
  let at = lengthBytes + headerBytes;
  for (const [, { data }] of entries) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * Reads and checks a whole file; the tensors are copies. Nothing is allocated before the header was found to agree with
 * the number of bytes that are there. Throws `model-corrupt` for anything that is not a well-formed file of float32,
 * int32 and bool tensors.
 */
export function readSafetensors(bytes: Uint8Array, limits: SafetensorsLimits = {}): Safetensors {
  const { maxHeaderBytes = 100_000_000, maxTensors = 100_000 } = limits;
  if (bytes.length < lengthBytes) throw corrupt(`it has ${bytes.length} bytes, too few for a header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = view.getBigUint64(0, true);
  if (headerBytes > BigInt(maxHeaderBytes)) {
    throw corrupt(`its header says ${headerBytes} bytes, at most ${maxHeaderBytes} are read`);
  }
  const start = lengthBytes + Number(headerBytes);
  if (start > bytes.length) throw corrupt(`its header says ${headerBytes} bytes, the file has ${bytes.length}`);

  const { __metadata__: metadata = {}, ...header } = parseHeader(bytes.subarray(lengthBytes, start));
  const names = Object.keys(header);
  if (names.length > maxTensors) throw corrupt(`it has ${names.length} tensors, at most ${maxTensors} are read`);
  const entries = names
    .map((name) => checkEntry(name, header[name]))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const entry of entries) {
    if (entry.begin !== at) throw corrupt(`its tensors overlap or leave a hole at byte ${at}`);
    at = entry.end;
  }
  if (start + at !== bytes.length) {
    throw corrupt(`its tensors need ${at} bytes, ${bytes.length - start} follow the header`);
  }
  return {
    // fromEntries defines own properties, whatever the name
    tensors: Object.fromEntries(
      entries.map((entry) => [
        entry.name,
        readTensor(entry, new Uint8Array(bytes.subarray(start + entry.begin, start + entry.end))),
      ]),
    ),
    metadata: checkMetadata(metadata),
  };
}

interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly begin: number;
  readonly end: number;
}

const corrupt = (what: string): HourglassError =>
  new HourglassError('model-corrupt', `The weights are not a readable safetensors file: ${what}.`);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

function parseHeader(json: Uint8Array): Record<string, unknown> {
  if (json[0] !== 0x7b) throw corrupt('its header does not begin with {');
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch {
    throw corrupt('its header is not JSON');
  }
  if (!isRecord(header)) throw corrupt('its header is not an object');
  return header;
}

function checkMetadata(metadata: unknown): Record<string, string> {
  if (!isRecord(metadata)) throw corrupt('its metadata is not an object');
  const entries = Object.entries(metadata).map(([key, value]): [string, string] => {
    if (typeof value !== 'string') throw corrupt('its metadata has a value that is not text');
    return [key, value];
  });
  return Object.fromEntries(entries);
}

function checkEntry(name: string, entry: unknown): Entry {
  if (!isRecord(entry)) throw corrupt('a tensor is not described by an object');
  const { shape, data_offsets: offsets } = entry;
  const dtype = dtypeOf.get(entry.dtype);
  if (!dtype) throw corrupt(`a tensor's type is not one of ${Object.values(nameOf).join(', ')}`);
  if (!isCounts(shape) || shape.length > maxRank) throw corrupt('a shape is not a short list of counts');
  if (!isCounts(offsets) || offsets.length !== 2) throw corrupt("a tensor's offsets are not two positions");
  const [begin = 0, end = 0] = offsets;
  if (sizeOf(shape) * elementBytes[dtype] !== end - begin) throw corrupt("a tensor's offsets do not fit its shape");
  return { name, dtype, shape, begin, end };
}

/** `copy` is a fresh buffer of exactly this tensor's bytes, so that it is aligned and nothing else shares it. */
function readTensor({ dtype, shape }: Entry, copy: Uint8Array): NdArray {
  const data: DataOf[DType] =
    dtype === 'float32' ? new Float32Array(copy.buffer) : dtype === 'int32' ? new Int32Array(copy.buffer) : copy;
  if (dtype === 'bool' && copy.some((value) => value > 1)) throw corrupt('a bool is neither 0 nor 1');
  return { dtype, shape, data };
}
