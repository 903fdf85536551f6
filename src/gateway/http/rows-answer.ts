/** Answers of models as JSON, raw float32 or a picture. */

import type { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { HourglassError } from '../../base/errors.ts';
import type { NdArray } from '../../base/ndarray.ts';
import type { Operation } from '../../registry/manifest.ts';
import { labelsOf } from '../../serve/classes.ts';
import type { Outlier } from '../../serve/outliers.ts';
import type { Prediction, PredictTarget } from '../../serve/predictor.ts';
import { bytesOfRows, picturesOfRows } from '../row-conversion.ts';
import { json, octets, png } from './media.ts';
import { numbersAnswer } from './numbers-answer.ts';

export type RowsType = typeof json | typeof octets | typeof png;

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
  const { model, version, outputs, warnings } = prediction;
  warnInHeader(reply, warnings);
  const payload = await payloadOf(type, operation, prediction, target, extras);
  return reply
    .type(type)
    .header('cache-control', 'no-store')
    .header('vary', 'accept')
    .header('x-hourglass-model', `${model}@${version}`)
    .header('x-hourglass-shape', outputs.shape.join(','))
    .send(payload);
}

const warningHeader = 'x-hourglass-warning';
/** clients and proxies refuse long headers */
const longestWarning = 1000;

/** For answers that have no member for warnings; the others carry it as well. */
export function warnInHeader(reply: FastifyReply, warnings: readonly string[] | undefined): void {
  if (warnings) reply.header(warningHeader, warnings.join(' ').slice(0, longestWarning));
}

async function payloadOf(
  type: RowsType,
  operation: Operation,
  prediction: Prediction,
  target: PredictTarget | undefined,
  extras: AnswerExtras,
): Promise<Buffer | Readable> {
  switch (type) {
    case json:
      return jsonAnswer(outputOf(operation), prediction, {
        ...(operation === 'classify' && { labels: labelsOf(prediction), classes: prediction.classes }),
        ...extras,
        ...(prediction.warnings && { warnings: prediction.warnings }),
      });
    case octets: {
      const { buffer, byteOffset, byteLength } = bytesOfRows(prediction.outputs);
      return Buffer.from(buffer, byteOffset, byteLength);
    }
    case png: {
      if (!target) throw new TypeError('a picture needs to know its black and white');
      const [picture] = await picturesOfRows(prediction, target);
      return Buffer.from(picture ?? []);
    }
    default:
      return type satisfies never;
  }
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
