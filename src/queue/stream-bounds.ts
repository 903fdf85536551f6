/**
 * Ids of entries of Redis streams (`ms-sequence`), as clients send them back, as bounds of a range. Redis refuses parts of more than 64 bits,
 * and bounds beyond which there is nothing; a client may send either.
 */

const largest = 2n ** 64n - 1n;

/** The nearest id that Redis takes. */
function clamped(id: string): readonly [time: bigint, sequence: bigint] {
  const [time = 0n, sequence = 0n] = id.split('-').map(BigInt);
  if (time > largest) return [largest, largest];
  return [time, sequence > largest ? largest : sequence];
}

/** The start of XRANGE for what comes after an id. */
export function startAfter(id: string): string {
  const [time, sequence] = clamped(id);
  // After the largest id comes nothing, and Redis never gives an entry that id.
  return time === largest && sequence === largest ? `${largest}-${largest}` : `(${time}-${sequence}`;
}

/** The end of XREVRANGE for what comes before an id; undefined when nothing does. */
export function endBefore(id: string): string | undefined {
  const [time, sequence] = clamped(id);
  return time === 0n && sequence === 0n ? undefined : `(${time}-${sequence}`;
}
