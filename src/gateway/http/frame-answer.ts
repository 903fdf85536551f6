/** Frames over REST: what a request may ask of a frame, and the answer with its receipt. */

import type { FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';
import { HourglassError } from '../../base/errors.ts';
import { frameKinds } from '../../codec/frame-header.ts';
import type { FrameTarget } from '../../serve/frame-choice.ts';
import type { EncodedFrame } from '../../serve/frame-codec.ts';
import { refuseBitsPerPixel } from '../picture-frames.ts';
import { frame as frameType, json } from './media.ts';

/** Members of the query of encode; they need a frame as the accepted type. */
export const frameQuery = {
  kind: Type.Optional(
    Type.Enum(Object.keys(frameKinds), { description: 'of frame; default compact for one row, batch for more' }),
  ),
  quality: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 15, description: 'of frame, from coarse (0) to fine; default the finest' }),
  ),
  maxBytes: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 2 ** 30, description: 'take the finest quality whose frame is no longer' }),
  ),
  psnr: Type.Optional(
    Type.Number({ minimum: 0, maximum: 100, description: 'take the coarsest quality expected to reach so many dB' }),
  ),
  bpp: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 64,
      description: 'codecs for pictures: the finest step whose frame takes no more bits a pixel',
    }),
  ),
  search: Type.Optional(
    Type.Boolean({ description: 'improve the symbols by trying them through the decoder: slower, at most 64 rows' }),
  ),
  receipt: Type.Optional(
    Type.Enum(['json'], {
      description: 'answer JSON with the frame in base64 and the receipt, which else is a header',
    }),
  ),
};
export const FrameQuery = Type.Object(frameQuery);
export type FrameQuery = Static<typeof FrameQuery>;

/** Member of every answer to rows of inputs. */
export const RangeWarnings = Type.Optional(
  Type.Array(Type.String(), {
    description:
      'there when rows are outside of the range of values that the model was trained on: what was found, and what to do',
  }),
);

const Alternatives = Type.Optional(
  Type.Array(
    Type.Object({
      type: Type.Enum(['frame', 'webp'], {
        description: 'frames of another model for such rows, or each row as a WebP picture',
      }),
      model: Type.Optional(Type.String({ description: 'of frames' })),
      quality: Type.Integer({ description: 'of the model, or of WebP (1 to 100)' }),
      bytes: Type.Integer({ description: 'for all rows; of a model about' }),
      psnr: Type.Number({ description: 'dB, of a model on held-out rows, of WebP on these' }),
    }),
    {
      description:
        'with a shortfall: what does reach it, the shortest first; of a picture also WebP where it takes fewer bytes',
    },
  ),
);

export const FrameReceipt = Type.Object({
  model: Type.String(),
  version: Type.Integer({ minimum: 1 }),
  decoder: Type.String({ description: 'SHA-256 of decoder and tables; the frame carries its beginning' }),
  kind: Type.Enum(Object.keys(frameKinds)),
  rows: Type.Integer({ minimum: 1 }),
  quality: Type.Integer({ minimum: 0, maximum: 15 }),
  qualities: Type.Integer({ minimum: 1, maximum: 16, description: 'how many the model has' }),
  rawBytes: Type.Integer({ description: 'the rows at one byte a value, as an 8-bit picture has them' }),
  wireBytes: Type.Integer({ description: 'the frame with all its framing' }),
  ratio: Type.Number({ description: 'rawBytes / wireBytes' }),
  estimatedPsnr: Type.Number({ description: 'dB, of this quality on held-out rows' }),
  shortfall: Type.Optional(Type.String({ description: 'there when the model cannot reach what was asked' })),
  alternatives: Alternatives,
  warnings: RangeWarnings,
});
export const FrameAnswer = Type.Object({
  frame: Type.String({ description: 'base64', contentEncoding: 'base64' }),
  receipt: FrameReceipt,
});

/** Of a codec for pictures. */
export const PictureFrameAnswer = Type.Object({
  frame: Type.String({ description: 'base64', contentEncoding: 'base64' }),
  receipt: Type.Object({
    model: Type.String(),
    version: Type.Integer({ minimum: 1 }),
    decoder: Type.String({ description: 'SHA-256 of decoder and codec; the frame carries its beginning' }),
    kind: Type.Literal('picture'),
    width: Type.Integer({ minimum: 1 }),
    height: Type.Integer({ minimum: 1 }),
    step: Type.Integer({ minimum: 0, description: 'number of the step of quantising; 8 more are twice the step' }),
    rawBytes: Type.Integer({ description: 'the picture at one byte a value' }),
    wireBytes: Type.Integer({ description: 'the frame with all its framing' }),
    ratio: Type.Number({ description: 'rawBytes / wireBytes' }),
    bpp: Type.Number({ description: 'bits a pixel of the frame' }),
    estimatedPsnr: Type.Number({
      description: "dB of this picture before the decoder's network, which adds some tenths as a rule",
    }),
    shortfall: Type.Optional(Type.String({ description: 'there when the model cannot reach what was asked' })),
    alternatives: Alternatives,
  }),
});

/** What the query asks of a frame. Throws `invalid-request` when it asks something of a frame, but the answer is none. */
export function frameTargetOf({ receipt, ...target }: FrameQuery, isFrame: boolean): FrameTarget {
  if (isFrame) refuseBitsPerPixel(target.bpp, '?bpp');
  const [stray] = Object.keys({ ...target, ...(receipt && { receipt }) });
  if (!isFrame && stray !== undefined) {
    throw new HourglassError('invalid-request', `?${stray} is for frames. Send Accept: ${frameType} with it.`, {
      field: 'Accept',
      expected: frameType,
    });
  }
  return target as FrameTarget;
}

export function sendFrame(reply: FastifyReply, { frame, receipt }: EncodedFrame, asJson: boolean): FastifyReply {
  reply
    .header('cache-control', 'no-store')
    .header('vary', 'accept')
    .header('x-hourglass-model', `${receipt.model}@${receipt.version}`);
  if (asJson) {
    return reply
      .type(json)
      .send(Buffer.from(JSON.stringify({ frame: Buffer.from(frame).toString('base64'), receipt })));
  }
  return reply.type(frameType).header('x-hourglass-receipt', JSON.stringify(receipt)).send(Buffer.from(frame));
}
