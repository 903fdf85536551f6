/**
 * Bodies of the Open Inference Protocol over REST, with Triton's binary tensor extension: JSON, then the bytes of those tensors
 * that are not in it. Compressed bodies are inflated first: Inference-Header-Content-Length counts the inflated JSON.
 *
 *   {"inputs":[{"name":"inputs","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}]}<16 bytes>
 */

import { pipeline, type Readable } from 'node:stream';
import { createDeflate, createGzip } from 'node:zlib';
import { HourglassError } from '../../base/errors.ts';
import type { NdArray } from '../../base/ndarray.ts';
import type { Holding } from '../byte-budget.ts';
import { type Coding, inflateWithin } from '../inflate.ts';
import { readJson } from '../json/read.ts';
import { checkDatatype, floatsOfRaw } from './datatypes.ts';
import { checkElements, type InferTensor } from './infer.ts';

const deflaters = { gzip: createGzip, deflate: createDeflate } as const satisfies Record<Coding, unknown>;

export const headerLength = 'inference-header-content-length';

/**
 * The body as it was before it was compressed; it counts in what `holding` gives. Throws `unsupported-media-type`,
 * `decompressed-too-large`, `malformed-body`, `overloaded`.
 */
export async function inflateBody(
  bytes: Buffer,
  coding: string | undefined,
  holding: () => Holding,
  limit: number,
): Promise<Buffer> {
  if (coding === undefined || coding === 'identity' || coding === '') return bytes;
  if (!Object.hasOwn(deflaters, coding)) {
    throw new HourglassError('unsupported-media-type', 'Bodies are taken as they are or as gzip or deflate.', {
      field: 'Content-Encoding',
      expected: ['identity', ...Object.keys(deflaters)],
      found: coding.slice(0, 100),
    });
  }
  return inflateWithin(bytes, coding as Coding, holding(), limit);
}

/** As it is read. Ends with the body, and the body with it. */
export const deflateBody = (body: Readable, coding: Coding): Readable => pipeline(body, deflaters[coding](), () => {});

type Members = Readonly<Record<string, unknown>>;

export interface ParsedInfer {
  readonly id: string | undefined;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly inputs: readonly InferTensor[];
  readonly outputs: readonly string[];
  /** names of the outputs that go out as bytes; `undefined`: as the request's default says */
  readonly isBinary: (output: string) => boolean;
}

/** `length` is the header of that name. Throws `invalid-request`, `malformed-json`, `invalid-type`, `shape-mismatch`, `non-finite`. */
export async function parseInfer(bytes: Buffer, length: string | undefined): Promise<ParsedInfer> {
  const end = length === undefined ? bytes.length : Number(length);
  if (!/^\d+$/.test(length ?? '0') || end > bytes.length) {
    throw new HourglassError(
      'invalid-request',
      `${headerLength} must be the length of the JSON, at most that of the body.`,
      {
        field: headerLength,
        expected: { atMostBytes: bytes.length },
        found: length?.slice(0, 40),
      },
    );
  }
  const value = await readJson(bytes.subarray(0, end), { listed: { member: 'inputs', tensor: 'data' } });
  const request = membersOf(value, '');
  let at = end;
  const inputs = listOf(request.inputs, '/inputs').map((given, i): InferTensor => {
    const field = `/inputs/${i}`;
    const input = membersOf(given, field);
    const name = textOf(input.name, `${field}/name`);
    const datatype = textOf(input.datatype, `${field}/datatype`);
    const shape = listOf(input.shape, `${field}/shape`) as number[];
    const size = parametersOf(input, field).binary_data_size;
    if (size === undefined) return { name, shape, data: dataOf(input.data, datatype, shape, field) };
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || at + size > bytes.length) {
      throw new HourglassError(
        'invalid-request',
        'binary_data_size must be a number of bytes, all of which follow the JSON.',
        {
          field: `${field}/parameters/binary_data_size`,
          expected: { atMostBytes: bytes.length - at },
          found: size,
        },
      );
    }
    const data = floatsOfRaw(bytes.subarray(at, at + size), datatype, `${field}/datatype`);
    at += size;
    checkElements(shape, data.length, field);
    return { name, shape, data };
  });
  if (at !== bytes.length) {
    throw new HourglassError('invalid-request', `${bytes.length - at} bytes follow the tensors that the JSON names.`, {
      expected: { bytes: at },
      found: { bytes: bytes.length },
    });
  }
  const parameters = parametersOf(request, '');
  const asked = new Map<string, unknown>();
  for (const [i, given] of listOf(request.outputs ?? [], '/outputs').entries()) {
    const output = membersOf(given, `/outputs/${i}`);
    asked.set(textOf(output.name, `/outputs/${i}/name`), parametersOf(output, `/outputs/${i}`).binary_data);
  }
  const isBinary = (output: string): boolean => (asked.get(output) ?? parameters.binary_data_output) === true;
  const id = request.id === undefined ? undefined : textOf(request.id, '/id');
  return { id, parameters, inputs, outputs: [...asked.keys()], isBinary };
}

/** The data of a JSON tensor, flat or nested, which was read into float32 already. */
function dataOf(data: unknown, datatype: string, shape: readonly number[], field: string): Float32Array {
  checkDatatype(datatype, `${field}/datatype`);
  if (data === undefined) {
    throw new HourglassError('invalid-request', 'The input has neither "data" nor the parameter "binary_data_size".', {
      field: `${field}/data`,
    });
  }
  const { data: floats } = data as NdArray<'float32'>;
  checkElements(shape, floats.length, field);
  return floats;
}

/** Members that are not known here are passed over: the protocol lets clients extend it. */
function membersOf(value: unknown, field: string): Members {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Members;
  throw wrongType(field, 'an object');
}

const parametersOf = ({ parameters }: Members, field: string): Members =>
  parameters === undefined ? {} : membersOf(parameters, `${field}/parameters`);

function listOf(value: unknown, field: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw wrongType(field, 'an array');
}

function textOf(value: unknown, field: string): string {
  if (typeof value === 'string') return value;
  throw wrongType(field, 'a string');
}

const wrongType = (field: string, expected: string): HourglassError =>
  new HourglassError('invalid-type', `${field === '' ? 'The body' : field} must be ${expected}.`, { field, expected });
