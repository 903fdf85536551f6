/** What a frame costs, as whoever encoded it says: a server, or a device, which does not know the number of its version. */

import type { FrameKind } from './frame-header.ts';

export interface DeviceReceipt {
  readonly model: string;
  /** SHA-256 of decoder and tables; the frame carries its beginning */
  readonly decoder: string;
  readonly kind: FrameKind;
  readonly rows: number;
  readonly quality: number;
  readonly qualities: number;
  /** the rows at one byte a value, as an 8-bit picture has them */
  readonly rawBytes: number;
  /** the frame with all its framing */
  readonly wireBytes: number;
  /** rawBytes / wireBytes */
  readonly ratio: number;
  /** dB; of this quality on held-out rows */
  readonly estimatedPsnr: number;
  /** said when the model cannot do what was asked */
  readonly shortfall?: string;
}

export interface FrameReceipt extends DeviceReceipt {
  readonly version: number;
  /** with a shortfall: what does reach it, the shortest first */
  readonly alternatives?: readonly Alternative[];
  /** there when the rows are outside of the range that the model was trained on */
  readonly warnings?: readonly string[];
}

/** Another way to send the same rows. */
export interface Alternative {
  /** frames of another model for such rows, or each row as a WebP picture */
  readonly type: 'frame' | 'webp';
  /** of frames: `digits-linear@2` */
  readonly model?: string;
  /** the model's quality, or WebP's own from 1 to 100 */
  readonly quality: number;
  /** for all rows; a model's as expected from held-out rows */
  readonly bytes: number;
  /** dB; a model's on held-out rows, WebP's on these */
  readonly psnr: number;
}
