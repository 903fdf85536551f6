/** Answers of models as JSON, raw float32 or a picture. */

import type { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { HourglassError } from '../../base/errors.ts';
import type { NdArray } from '../../base/ndarray.ts';
import type { Operation, RowOperation } from '../../registry/manifest.ts';
import { labelsOf } from '../../serve/classes.ts';
import type { Outlier } from '../../serve/outliers.ts';
import type { Prediction, PredictTarget } from '../../serve/predictor.ts';
import { bytesOfRows, picturesOfRows } from '../row-conversion.ts';
import { frame, json, octets, png } from './media.ts';
import { numbersAnswer } from './numbers-answer.ts';

export type RowsType = typeof json | typeof octets | typeof png;

/** Types that an operation can answer in, the preferred one first. */
export function offeredBy(operation: RowOperation) {
  if (operation === 'encode') return [json, octets, frame] as const;
  return operation === 'classify' ? ([json, octets] as const) : ([json, octets, png] as const);
}

/** What the answer of an operation is called in JSON. */
function outputOf(operation: Operation): string {
  if (operation === 'encode') return 'codes';
  return operation === 'classify' ? 'probabilities' : 'outputs';
}

/** What an answer in JSON says besides its rows. */
export interface AnswerExtras {
  readonly outliers?: readonly Outlier[] | undefined;
  readonly seed?: number;
}

/** `target` is needed for pictures, whose black and white it tells. */
export async function sendRows(
  reply: FastifyReply,
  type: RowsType,
  operation: Operation,
  prediction: Prediction,
  target: PredictTarget | undefined,
  extras: AnswerExtras = {},
): Promise<FastifyReply> {
  const payload = await payloadOf(type, operation, prediction, target, extras);
  const headers = answerHeaders(type, prediction);
  for (let i = 0; i < headers.length; i += 2) reply.header(headers[i]!, headers[i + 1]);
  return reply.send(payload);
}

/** Names and values in turn. */
export function answerHeaders(type: RowsType, { model, version, outputs, warnings }: Prediction): string[] {
  const headers = ['content-type', type as string, 'cache-control', 'no-store', 'vary', 'accept'];
  headers.push('x-hourglass-model', `${model}@${version}`, 'x-hourglass-shape', outputs.shape.join(','));
  if (warnings) headers.push(warningHeader, shortened(warnings));
  return headers;
}

const warningHeader = 'x-hourglass-warning';
/** clients and proxies refuse long headers */
const longestWarning = 1000;
const shortened = (warnings: readonly string[]): string => warnings.join(' ').slice(0, longestWarning);

/** For answers that have no member for warnings; the others carry it as well. */
export function warnInHeader(reply: FastifyReply, warnings: readonly string[] | undefined): void {
  if (warnings) reply.header(warningHeader, shortened(warnings));
}

async function payloadOf(
  type: RowsType,
  operation: Operation,
  prediction: Prediction,
  target: PredictTarget | undefined,
  extras: AnswerExtras,
): Promise<Buffer | Readable> {
  if (type !== png) return numbersPayload(type, operation, prediction, extras);
  if (!target) throw new TypeError('a picture needs to know its black and white');
  const [picture] = await picturesOfRows(prediction, target);
  return Buffer.from(picture ?? []);
}

/** An answer in numbers; as bytes it shares the memory of the prediction. Long texts are written as they are read. */
export function numbersPayload(
  type: Exclude<RowsType, typeof png>,
  operation: Operation,
  prediction: Prediction,
  extras: AnswerExtras = {},
): Buffer | Readable {
  if (type === octets) {
    const { buffer, byteOffset, byteLength } = bytesOfRows(prediction.outputs);
    return Buffer.from(buffer, byteOffset, byteLength);
  }
  return jsonAnswer(outputOf(operation), prediction, {
    ...(operation === 'classify' && { labels: labelsOf(prediction), classes: prediction.classes }),
    ...extras,
    ...(prediction.warnings && { warnings: prediction.warnings }),
  });
}

/** A picture holds one row. Throws `not-acceptable`. */
export function refuseSeveral({ shape: [rows = 0] }: NdArray): void {
  if (rows === 1) return;
  throw new HourglassError(
    'not-acceptable',
    `A picture holds one row, but there are ${rows}. Send one, or accept ${json} or ${octets}.`,
    {
      field: 'Accept',
      expected: { rows: 1 },
      found: { rows },
    },
  );
}

function jsonAnswer(name: string, { model, version, outputs }: Prediction, others: object): Buffer | Readable {
  const rest = JSON.stringify(others).slice(1);
  const head = `{"model":${JSON.stringify(model)},"version":${version},"${name}":`;
  return numbersAnswer(head, outputs, rest === '}' ? rest : `,${rest}`);
}
