/**
 * `npm run fuzz:pictures`: a million damaged frames of pictures against the decoder. Writes picture-frames.md. `-- --count 10000 --seed 2`,
 * `--keep FILE`: what was counted so far, from which a campaign that was stopped goes on
 *
 * Every answer must be the picture, a picture whose lost parts are named, or a refusal with a code, in short time and without memory that
 * the frame's length does not justify. Anything else ends the campaign with an error.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { HourglassError } from '../src/base/errors.ts';
import { pictureCodecFromBytes } from '../src/codec/picture/picture-codec-bytes.ts';
import type { PictureProfile } from '../src/codec/picture/picture-frame.ts';
import { encodePicture } from '../src/codec/picture/picture-frame.ts';
import { parsePictureHeader, writePictureFrame } from '../src/codec/picture/picture-header.ts';
import { reconstruct } from '../src/codec/picture/reconstruct.ts';
import { fittedProfile, picture } from '../test/codec/picture/pictures.ts';
import { seeded } from '../test/codec/profiles.ts';

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'string' },
  },
});
const [count, seed] = [Number(options.count), Number(options.seed)];
const maxPixels = 2 ** 20;
let random = seeded(seed);
const below = (n: number): number => Math.floor(random() * n);

const vectors = JSON.parse(readFileSync(path.join(import.meta.dirname, '../docs/picture-vectors.json'), 'utf8'));
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const gray: PictureProfile = {
  hash: bytesOf(vectors.decoder),
  codec: pictureCodecFromBytes(bytesOf(vectors.codec)),
};

interface Sent {
  readonly profile: PictureProfile;
  readonly frame: Uint8Array;
  readonly payloads: readonly Uint8Array[];
  readonly head: { readonly width: number; readonly height: number; readonly step: number; readonly tileLog: number };
}

/** Small pictures of one to fifteen tiles in fine and coarse steps. */
const corpus: readonly Sent[] = [gray, fittedProfile(3, [24, 44])].flatMap((profile) =>
  [
    [8, 8, 6],
    [41, 30, 1],
    [7, 50, 0],
    [70, 33, 2],
    [40, 16, 3],
  ].flatMap(([width = 8, height = 8, tileLog = 6], i) =>
    [12, 30, 50].map((step): Sent => {
      const raster = picture(100 + i, width, height, profile.codec.channels);
      const { frame } = encodePicture(profile, raster, { step, tileLog });
      const header = parsePictureHeader(frame, maxPixels);
      const payloads = header.tiles.map(({ from, bytes }) => frame.slice(from, from + bytes));
      return { profile, frame, payloads, head: { width, height, step, tileLog } };
    }),
  ),
);

/** One to four bits, bytes, cuts, insertions or deletions, mostly where the head is. */
function damaged(bytes: Uint8Array): Uint8Array {
  let out: number[] | Uint8Array = bytes.slice();
  for (let n = 1 + below(4); n > 0 && out.length > 0; n--) {
    const at = below(random() < 0.5 ? Math.min(30, out.length) : out.length);
    switch (below(5)) {
      case 0:
        out[at] = (out[at] as number) ^ (1 << below(8));
        break;
      case 1:
        out[at] = below(256);
        break;
      case 2:
        out = out.slice(0, at);
        break;
      case 3:
        out = Uint8Array.from([...out.slice(0, at), below(256), ...out.slice(at)]);
        break;
      default:
        out = Uint8Array.from([...out.slice(0, at), ...out.slice(at + 1)]);
    }
  }
  return Uint8Array.from(out);
}

interface Tally {
  frames: number;
  slowestMilliseconds: number;
  readonly outcomes: Record<string, number>;
}
const newTally = (): Tally => ({ frames: 0, slowestMilliseconds: 0, outcomes: {} });

/** In place of the network, which is floating-point arithmetic on whatever symbols there are. */
const run = async ({ y, height, width }: { y: Float32Array; height: number; width: number }) =>
  new Float32Array((height - 2) * (width - 2) * (y.length / (height * width)));

async function outcomeOf({ profile }: Sent, bytes: Uint8Array): Promise<string> {
  try {
    const { raster, lost } = await reconstruct(profile, bytes, { margin: 1, run, maxPixels });
    if (raster.data.length > maxPixels * raster.channels) throw new Error('a picture is larger than allowed');
    return lost.length > 0 ? 'parts lost' : 'whole';
  } catch (error) {
    if (error instanceof HourglassError) return error.code;
    throw error;
  }
}

async function meet(tally: Tally, sent: Sent, bytes: Uint8Array): Promise<void> {
  const began = performance.now();
  const outcome = await outcomeOf(sent, bytes);
  const milliseconds = performance.now() - began;
  tally.frames++;
  tally.outcomes[outcome] = (tally.outcomes[outcome] ?? 0) + 1;
  tally.slowestMilliseconds = Math.max(tally.slowestMilliseconds, milliseconds);
}

/** Everything that was counted so far. */
interface Campaign {
  /** of mutated frames */
  done: number;
  seconds: number;
  /** bytes that the process grew by */
  growth: number;
  readonly cut: Tally;
  readonly mutated: Tally;
  readonly forged: Tally;
}
/** Mutated frames that are drawn from one seed. */
const chunk = 20_000;
const campaign: Campaign =
  options.keep && existsSync(options.keep)
    ? JSON.parse(readFileSync(options.keep, 'utf8'))
    : { done: 0, seconds: 0, growth: 0, cut: newTally(), mutated: newTally(), forged: newTally() };
const { cut, mutated, forged } = campaign;
const before = process.memoryUsage.rss();
if (campaign.done === 0) {
  for (const sent of corpus) {
    for (let length = 0; length < sent.frame.length; length++) await meet(cut, sent, sent.frame.subarray(0, length));
  }
}
while (campaign.done < count) {
  const began = performance.now();
  random = seeded(seed * 1_000_003 + campaign.done / chunk);
  const size = Math.min(chunk, count - campaign.done);
  for (let i = 0; i < size; i++) {
    const sent = corpus[below(corpus.length)] as Sent;
    await meet(mutated, sent, damaged(sent.frame));
    // What nobody would send by accident: symbols that are no symbols, with checksums that fit them.
    if (i % 10 === 0) {
      const payloads = sent.payloads.map((payload) => (random() < 0.5 ? payload : damaged(payload)));
      await meet(forged, sent, writePictureFrame(sent.profile.hash, sent.head, payloads));
    }
    if (i % 1000 === 0) campaign.growth = Math.max(campaign.growth, process.memoryUsage.rss() - before);
  }
  campaign.done += size;
  campaign.seconds += (performance.now() - began) / 1000;
  if (options.keep) writeFileSync(options.keep, JSON.stringify(campaign));
}

const number = (value: number): string => value.toLocaleString('en');
function row(title: string, { frames, outcomes, slowestMilliseconds }: Tally): string {
  const told = Object.entries(outcomes)
    .toSorted(([, a], [, b]) => b - a)
    .map(([outcome, times]) => `${outcome} ${number(times)}`);
  return `| ${title} | ${number(frames)} | ${told.join(', ')} | ${slowestMilliseconds.toFixed(1)} |`;
}
const text = `# Damaged frames of pictures

Written by \`npm run fuzz:pictures -- --count ${count} --seed ${seed}\`: ${Math.round(campaign.seconds)} s on ${os.cpus()[0]?.model ?? 'an unknown processor'}, Node ${process.versions.node}.
The process grew by at most ${Math.round(campaign.growth / 2 ** 20)} MiB. ${corpus.length} frames of pictures of 8 × 8 to 70 × 33 pixels, grey and in colour, with 1 to 15 tiles, are damaged in turn;
the network behind them is left out. Any other outcome than a picture or a refusal with a code ends the campaign with an error.

| | frames | outcomes | slowest, ms |
| --- | ---: | --- | ---: |
${row('cut after each byte', cut)}
${row('one to four mutations', mutated)}
${row('mutated symbols with checksums that fit them', forged)}

\`parts lost\`: the head is whole, tiles are damaged, filled in and named. \`whole\`: nothing was noticed, as mutations may undo each other and one damaged tile of 65,536
passes its checksum.
`;
console.log(text);
writeFileSync(path.join(import.meta.dirname, 'picture-frames.md'), text);
