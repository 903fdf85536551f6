// What the codec is held to, and where the measured curves stand against it.

/** A point of a rate–distortion curve: bytes per picture, dB. */
export interface Rate {
  readonly bytes: number;
  readonly psnr: number;
}

export interface Bar {
  readonly title: string;
  /** bytes per picture, or what the title says */
  readonly found: number;
  readonly limit: number;
  readonly at: string;
}

/** Fewest bytes of the points that reach a PSNR; undefined where none does. */
export function cheapest(points: readonly Rate[], psnr: number): Rate | undefined {
  return points.filter((point) => point.psnr >= psnr).toSorted((a, b) => a.bytes - b.bytes)[0];
}

/**
 * Bytes of a curve at a PSNR, between its points linearly in dB and the logarithm of bytes. Below its coarsest point a codec
 * cannot go: that one counts. Infinity above its finest.
 */
export function bytesAt(curve: readonly Rate[], psnr: number): number {
  const points = curve.toSorted((a, b) => a.psnr - b.psnr);
  const above = points.findIndex((point) => point.psnr >= psnr);
  const upper = points[above];
  if (!upper) return Number.POSITIVE_INFINITY;
  const lower = points[above - 1];
  // a point that is better in both ways makes the one below it useless
  if (!lower || lower.bytes >= upper.bytes) return upper.bytes;
  const share = (psnr - lower.psnr) / (upper.psnr - lower.psnr);
  return lower.bytes * (upper.bytes / lower.bytes) ** share;
}

/** `reached`, or by how much it is short. */
export function verdict({ found, limit }: Bar): string {
  if (found <= limit) return 'reached';
  return Number.isFinite(found) ? `short by ${(found - limit).toFixed(2)}` : 'not reached';
}
