/** Pictures of any size over REST: a picture to a frame, a frame to a picture, whole or in part, a damaged picture to a restored one. */

import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { HourglassError } from '../../base/errors.ts';
import type { Region } from '../../codec/picture/reconstruct.ts';
import { encodeWhole } from '../../data/image.ts';
import type { DecodedFrame, ServedFrame } from '../../serve/pictures.ts';
import { frame as frameType, json, octets, pictures, png } from './media.ts';

/** Of decode. */
export const regionQuery = {
  region: Type.Optional(
    Type.String({
      pattern: '^\\d{1,5},\\d{1,5},\\d{1,5},\\d{1,5}$',
      description: 'frames of pictures: x, y, width and height in pixels of the part that is wanted',
    }),
  ),
};

export function regionOf(text: string | undefined): Region | undefined {
  if (text === undefined) return undefined;
  const [x = 0, y = 0, width = 0, height = 0] = text.split(',').map(Number);
  return { x, y, width, height };
}

/** What a decoded picture can be answered as, the preferred one first. */
export const pictureTypes = [png, 'image/webp', 'image/jpeg', octets] as const;
export type PictureType = (typeof pictureTypes)[number];

export function sendPictureFrame(reply: FastifyReply, { frame, receipt }: ServedFrame, asJson: boolean): FastifyReply {
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

/** Damaged parts are told in a header: `x,y,width,height` of each, separated by semicolons. */
export async function sendPicture(
  reply: FastifyReply,
  type: PictureType,
  { model, version, raster, lost = [] }: Omit<DecodedFrame, 'lost'> & Partial<Pick<DecodedFrame, 'lost'>>,
): Promise<FastifyReply> {
  const { height, width, channels } = raster;
  const body = type === octets ? raster.data : await encodeWhole(raster, type);
  reply
    .type(type)
    .header('cache-control', 'no-store')
    .header('vary', 'accept')
    .header('x-hourglass-model', `${model}@${version}`)
    .header('x-hourglass-shape', [height, width, channels].join(','));
  if (lost.length > 0) {
    const parts = lost.map((part) => [part.x, part.y, part.width, part.height].join(','));
    reply.header('x-hourglass-lost', parts.join(';').slice(0, 4000));
  }
  return reply.send(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
}

/** A codec for pictures is asked with something else. */
export const picturesOnly = (model: string, what: string): HourglassError =>
  new HourglassError('operation-not-supported', `${model} is a codec for pictures: ${what}`, { expected: pictures });
