/**
 * Damaged frames by the thousand: every answer must be the right symbols or a typed refusal, in short time and without memory
 * that the frame's length does not justify. Deterministic by seed.
 *
 *   frame of a random kind, profile, size ─► one to four of: bit flip, byte set, cut, insertion, deletion, splice, lying head
 */

import { createHash } from 'node:crypto';
import { getHeapStatistics } from 'node:v8';
import { HourglassError } from '../../src/base/errors.ts';
import { decodeFrame, encodeFrame } from '../../src/codec/frame.ts';
import type { FrameKind } from '../../src/codec/frame-header.ts';
import { type Profile, type Quality, quantise } from '../../src/codec/profile.ts';
import { seeded, testCodes, testProfile } from '../../test/codec/profiles.ts';

export interface Tally {
  /** by outcome: an error's code, `same` (decoded to what was sent), `prefix` (to fewer of its parts), `other symbols` */
  readonly outcomes: Record<string, number>;
  frames: number;
  slowestMilliseconds: number;
  /** bytes of typed arrays that the hungriest decoding allocated for each byte of its frame */
  hungriest: number;
}

const newTally = (): Tally => ({ outcomes: {}, frames: 0, slowestMilliseconds: 0, hungriest: 0 });

const kinds: readonly FrameKind[] = ['compact', 'batch', 'standard', 'progressive'];
/** Small and large codes; the last two share the first 8 bytes of their hash, which is all that a frame carries. */
const profiles: readonly Profile[] = [
  testProfile(16),
  testProfile(64, 'wide'),
  twin(testProfile(16, 'one twin')),
  twin(testProfile(16, 'other twin')),
];

function twin(profile: Profile): Profile {
  const hash = Uint8Array.from(profile.hash);
  hash.set(createHash('sha256').update('twins').digest().subarray(0, 8));
  return { ...profile, hash };
}

interface Sent {
  readonly profile: Profile;
  readonly frame: Uint8Array;
  readonly symbols: Int32Array;
}

type Random = () => number;
const below = (random: Random, n: number): number => Math.floor(random() * n);

/** Some frames of each kind, quality and profile, of one row to many. */
function corpus(random: Random): Sent[] {
  return profiles.flatMap((profile) =>
    kinds.flatMap((kind) =>
      [0, 1, 2].flatMap((index) =>
        [1, 2, 9, 30].flatMap((rows): Sent[] => {
          if (kind === 'compact' && rows > 1) return [];
          const quality = profile.qualities[index] as Quality;
          const symbols = quantise(quality, testCodes(rows, profile.order.length, below(random, 1e6)));
          return [{ profile, symbols, frame: encodeFrame(profile, symbols, { kind, quality: index }) }];
        }),
      ),
    ),
  );
}

function mutated(frame: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const bytes = [...frame];
  const at = below(random, bytes.length);
  switch (below(random, 7)) {
    case 0:
      bytes[at] = (bytes[at] as number) ^ (1 << below(random, 8));
      break;
    case 1:
      bytes[at] = below(random, 256);
      break;
    case 2:
      bytes.length = at;
      break;
    case 3:
      bytes.splice(at, 0, below(random, 256));
      break;
    case 4:
      bytes.splice(at, 1 + below(random, 4));
      break;
    case 5:
      bytes.splice(at, bytes.length, ...other.subarray(below(random, other.length)));
      break;
    default:
      // a head that claims much: its varints begin right behind the id
      bytes.splice([3, 4, 9][below(random, 3)] as number, 1, 0xff, 0xff, below(random, 256), below(random, 128));
  }
  return Uint8Array.from(bytes);
}

function judge(sent: Sent, bytes: Uint8Array, profile: Profile, tally: Tally): void {
  const before = getHeapStatistics().external_memory;
  const began = performance.now();
  let outcome: string;
  try {
    const { symbols, units } = decodeFrame(profile, bytes);
    const width = profile.order.length;
    const arrived = new Set(profile.order.subarray(0, units));
    const isTrue =
      profile === sent.profile &&
      symbols.length === sent.symbols.length &&
      symbols.every((symbol, i) => symbol === sent.symbols[i] || !arrived.has(i % width));
    outcome = isTrue ? (units < width ? 'prefix' : 'same') : 'other symbols';
  } catch (error) {
    if (!(error instanceof HourglassError)) throw error;
    outcome = error.code;
  }
  tally.slowestMilliseconds = Math.max(tally.slowestMilliseconds, performance.now() - began);
  const allocated = getHeapStatistics().external_memory - before;
  tally.hungriest = Math.max(tally.hungriest, allocated / (bytes.length + 8));
  tally.outcomes[outcome] = (tally.outcomes[outcome] ?? 0) + 1;
  tally.frames++;
}

export interface Campaign {
  /** every frame of the corpus cut after each of its bytes */
  readonly truncated: Tally;
  readonly mutated: Tally;
  /** every whole frame and mutations of it, given to every other model, ids made equal */
  readonly wrongModel: Tally;
}

export function campaign({ count, seed }: { readonly count: number; readonly seed: number }): Campaign {
  const random = seeded(seed);
  const sent = corpus(random);
  const result: Campaign = { truncated: newTally(), mutated: newTally(), wrongModel: newTally() };
  for (const one of sent) {
    for (let length = 0; length < one.frame.length; length++) {
      judge(one, one.frame.subarray(0, length), one.profile, result.truncated);
    }
  }
  for (let i = 0; result.mutated.frames < count; i++) {
    const one = sent[i % sent.length] as Sent;
    let bytes = one.frame;
    for (let times = 1 + below(random, 4); times > 0; times--) {
      bytes = mutated(bytes.length > 0 ? bytes : one.frame, (sent[below(random, sent.length)] as Sent).frame, random);
    }
    // two mutations may undo each other, a splice may leave a whole frame, or what progressive frames may be cut to
    if (sent.some(({ frame }) => bytes.length <= frame.length && bytes.every((byte, at) => byte === frame[at])))
      continue;
    judge(one, bytes, one.profile, result.mutated);
  }
  for (let i = 0; i < count / 10; i++) {
    const one = sent[below(random, sent.length)] as Sent;
    const candidates = profiles.filter((profile) => profile !== one.profile);
    const reader = candidates[below(random, candidates.length)] as Profile;
    const bytes = one.frame.slice();
    const id = { 1: 2, 2: 3 }[(bytes[0] as number) >>> 4] ?? 8;
    bytes.set(reader.hash.subarray(0, id), 1);
    judge(one, bytes, reader, result.wrongModel);
  }
  return result;
}
