// A short campaign of damaged frames; `npm run fuzz:frames` is the long one.
import { describe, expect, it } from 'vitest';
import { campaign, type Tally } from '../../bench/frames/campaign.ts';

const refusals = ['invalid-frame', 'frame-checksum', 'unsupported-frame-version', 'model-mismatch', 'batch-too-large'];
const { truncated, mutated, wrongModel } = campaign({ count: 3000, seed: 7 });

describe('damaged frames', () => {
  it.each([
    ['cut', truncated, ['prefix']],
    ['mutated', mutated, ['prefix', 'other symbols']],
    ['of another model', wrongModel, []],
  ] as [string, Tally, string[]][])('%s: symbols that were sent, or a refusal with a code', (_, tally, others) => {
    expect(tally.frames).toBeGreaterThanOrEqual(300);
    for (const outcome of Object.keys(tally.outcomes)) expect([...refusals, ...others]).toContain(outcome);
    // 16 bits of checksum let one damaged frame in 65,536 pass
    expect(tally.outcomes['other symbols'] ?? 0).toBeLessThanOrEqual(1);
  });

  it('allocate no more than a small frame of many cheap symbols justifies', () => {
    // a progressive head of 12 bytes may announce 256 rows of 64 units; all other kinds have to show the bits
    for (const tally of [truncated, mutated, wrongModel]) expect(tally.hungriest).toBeLessThan((256 * 64 * 4 * 4) / 20);
  });
});
