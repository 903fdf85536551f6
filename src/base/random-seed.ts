/** Where the lanes of a random stream start: a seed and a name hashed to four words, and the jump of xoshiro128. */

/** State of one xoshiro128 generator. */
export type Words4 = readonly [number, number, number, number];

const low64 = (x: bigint): bigint => BigInt.asUintN(64, x);

/** FNV-1a, 64 bit (Fowler, Noll, Vo), over the two bytes of each UTF-16 unit, low byte first. */
export function fnv1a(text: string): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    hash = low64((hash ^ BigInt(unit & 0xff)) * 0x100_0000_01b3n);
    hash = low64((hash ^ BigInt(unit >>> 8)) * 0x100_0000_01b3n);
  }
  return hash;
}

/** The output of SplitMix64 (Steele, Lea & Flood 2014) for a counter; the n-th output of a seed has counter seed + n·γ. */
export function splitMix64(counter: bigint): bigint {
  let z = low64(counter);
  z = low64((z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
  z = low64((z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
  return z ^ (z >> 31n);
}
export const splitMixGamma = 0x9e37_79b9_7f4a_7c15n;

/** Start of the stream named by `text`: its hash, spread over the 128 bits of state as xoshiro's authors advise. */
export function seedWords(text: string): Words4 {
  const hash = fnv1a(text);
  const first = splitMix64(hash + splitMixGamma);
  const second = splitMix64(hash + 2n * splitMixGamma);
  const word = (x: bigint, shift: bigint): number => Number((x >> shift) & 0xffff_ffffn);
  return [word(first, 0n), word(first, 32n), word(second, 0n), word(second, 32n)];
}

/** The published jump polynomial of xoshiro128: 2^64 steps ahead. */
const jumpPolynomial = [0x8764_000b, 0xf542_d2d3, 0x6fa0_35c3, 0x77f2_db5b] as const;

/** State after 2^64 more steps (Blackman & Vigna 2021). */
export function jump(start: Words4): Words4 {
  let [a, b, c, d] = start;
  let [ja, jb, jc, jd] = [0, 0, 0, 0];
  for (const polynomial of jumpPolynomial) {
    for (let bit = 0; bit < 32; bit++) {
      if ((polynomial >>> bit) & 1) {
        ja ^= a;
        jb ^= b;
        jc ^= c;
        jd ^= d;
      }
      const t = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= t;
      d = (d << 11) | (d >>> 21);
    }
  }
  return [ja >>> 0, jb >>> 0, jc >>> 0, jd >>> 0];
}
