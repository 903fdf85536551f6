/** Frames as messages: what a request asks of a frame, and the receipt. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import { HourglassError } from '../../../base/errors.ts';
import type { FrameKind as FrameKindName } from '../../../codec/frame-header.ts';
import type { PictureTarget } from '../../../codec/picture/choose-step.ts';
import type { Alternative, FrameReceipt } from '../../../codec/receipt.ts';
import { type EncodeFrameRequest, FrameKind, type FrameReceiptSchema } from '../../../gen/hourglass/v1/inference_pb.ts';
import type { FrameTarget } from '../../../serve/frame-choice.ts';
import type { ServedReceipt } from '../../../serve/pictures.ts';

const numbers = {
  compact: FrameKind.COMPACT,
  batch: FrameKind.BATCH,
  standard: FrameKind.STANDARD,
  progressive: FrameKind.PROGRESSIVE,
} as const satisfies Record<FrameKindName, FrameKind>;

/** Bounds as over REST; `bpp` is for codecs of pictures. Throws `invalid-request`. */
export function frameTargetOf(request: EncodeFrameRequest): FrameTarget & Pick<PictureTarget, 'bpp'> {
  const { kind, quality, maxBytes, psnr, bpp, search } = request;
  if (quality !== undefined && quality > 15) throw outside('quality', quality, 'an integer from 0 to 15');
  if (maxBytes === 0) throw outside('maxBytes', maxBytes, 'at least 1');
  if (psnr !== undefined && !(psnr >= 0 && psnr <= 100)) throw outside('psnr', String(psnr), 'a number from 0 to 100');
  if (bpp !== undefined && !(bpp > 0 && bpp <= 64)) throw outside('bpp', String(bpp), 'a number above 0 up to 64');
  return { kind: kindOf(kind), quality, maxBytes, psnr, search, ...(bpp !== undefined && { bpp }) };
}

function kindOf(kind: FrameKind): FrameKindName | undefined {
  if (kind === FrameKind.UNSPECIFIED) return undefined;
  const names = Object.keys(numbers) as FrameKindName[];
  const name = names.find((candidate) => numbers[candidate] === kind);
  if (name) return name;
  throw outside('kind', kind, names);
}

const outside = (field: string, found: unknown, expected: unknown): HourglassError =>
  new HourglassError('invalid-request', `There is no ${field} ${found} of frames.`, {
    field: `/${field}`,
    expected,
    found,
  });

export const receiptMessage = (receipt: FrameReceipt): MessageInitShape<typeof FrameReceiptSchema> => ({
  ...receipt,
  kind: numbers[receipt.kind],
  rawBytes: BigInt(receipt.rawBytes),
  wireBytes: BigInt(receipt.wireBytes),
  warnings: [...(receipt.warnings ?? [])],
  alternatives: offers(receipt.alternatives),
});

const offers = (alternatives: readonly Alternative[] = []) =>
  alternatives.map((offer) => ({ ...offer, bytes: BigInt(offer.bytes) }));

/** Of a picture's frame, which counts as one row. */
export const pictureReceiptMessage = (receipt: ServedReceipt): MessageInitShape<typeof FrameReceiptSchema> => ({
  model: receipt.model,
  version: receipt.version,
  decoder: receipt.decoder,
  rows: 1,
  rawBytes: BigInt(receipt.rawBytes),
  wireBytes: BigInt(receipt.wireBytes),
  ratio: receipt.ratio,
  estimatedPsnr: receipt.estimatedPsnr,
  alternatives: offers(receipt.alternatives),
  picture: { width: receipt.width, height: receipt.height, step: receipt.step, bpp: receipt.bpp },
  ...(receipt.shortfall !== undefined && { shortfall: receipt.shortfall }),
});
