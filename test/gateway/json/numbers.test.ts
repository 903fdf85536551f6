// Tensors out of JSON: the same float32 as by JSON.parse and Math.fround, shapes from nesting, and each refusal.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../../src/base/errors.ts';
import type { NdArray } from '../../../src/base/ndarray.ts';
import { readJson } from '../../../src/gateway/json/read.ts';

const maxRows = 5000;

async function tensor(inputs: string): Promise<NdArray<'float32'>> {
  const body = await readJson(Buffer.from(`{"model":"m","inputs":${inputs}}`), { tensors: ['inputs'], maxRows });
  return (body as { inputs: NdArray<'float32'> }).inputs;
}

async function refusal(inputs: string): Promise<HourglassError> {
  const thrown = await tensor(inputs).catch((error: unknown) => error);
  if (!(thrown instanceof HourglassError)) throw new Error(`accepted: ${inputs.slice(0, 100)}`);
  return thrown;
}

/** one row of numbers given as texts, read back */
const values = async (texts: readonly string[]) => (await tensor(`[[${texts.join(',')}]]`)).data;
const expected = (texts: readonly string[]) => Float32Array.from(texts, (text) => JSON.parse(text) as number);

describe('values', () => {
  it('are those of JSON.parse, rounded to float32', async () => {
    const digits = (max: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${max}}$`));
    const integer = fc.oneof(fc.constant('0'), fc.stringMatching(/^[1-9][0-9]{0,21}$/));
    const exponent = fc
      .tuple(fc.constantFrom('e', 'E', 'e+', 'e-'), fc.integer({ min: 0, max: 50 }))
      .map((p) => p.join(''));
    const number = fc
      .tuple(
        fc.constantFrom('', '-'),
        integer,
        fc.option(digits(30), { nil: undefined }),
        fc.option(exponent, { nil: undefined }),
      )
      .map(
        ([sign, whole, decimals, power]) =>
          `${sign}${whole}${decimals === undefined ? '' : `.${decimals}`}${power ?? ''}`,
      )
      .filter((text) => Number.isFinite(Math.fround(Number(text))));
    await fc.assert(
      fc.asyncProperty(fc.array(number, { minLength: 1, maxLength: 50 }), async (texts) => {
        expect(await values(texts)).toEqual(expected(texts));
      }),
      { numRuns: 2000 },
    );
  });

  it('are right beside the borders where float32 rounds', async () => {
    const texts: string[] = [];
    const bits = new Uint32Array(1);
    const float = new Float32Array(bits.buffer);
    for (let i = 0; i < 4000; i++) {
      bits[0] = (i * 2_654_435_761) >>> 0;
      const low = float[0] as number;
      bits[0] += 1;
      const middle = (low + (float[0] as number)) / 2;
      if (!Number.isFinite(middle)) continue;
      // the double in the middle, its neighbours, and with more digits than a double holds
      for (const shift of [-1, 0, 1]) texts.push(String(middle * (1 + shift * Number.EPSILON)));
      texts.push(middle.toPrecision(25), `${middle.toPrecision(17)}`);
    }
    expect(await values(texts)).toEqual(expected(texts));
  });

  it('keep the sign of zero and subnormal numbers', async () => {
    const texts = ['-0', '-0.0', '0e5', '1e-45', '1e-46', '-1.4e-45', '1.17549435e-38', '3.4028234663852886e38'];
    const found = await values(texts);
    expect(found).toEqual(expected(texts));
    expect(Object.is(found[0], -0)).toBe(true);
  });
});

describe('shapes', () => {
  it.each([
    ['[[1]]', [1, 1]],
    ['[[1,2,3],[4,5,6]]', [2, 3]],
    [' [ [ [ 1 , 2 ] , [ 3 , 4 ] ] ]\n', [1, 2, 2]],
    ['[[[[1],[2]]],[[[3],[4]]]]', [2, 1, 2, 1]],
  ])('%s', async (text, shape) => {
    const { shape: found, data } = await tensor(text);
    expect(found).toEqual(shape);
    expect([...data]).toEqual((JSON.parse(text) as never[]).flat(8));
  });

  it('are read in pieces when the body is large', async () => {
    const row = Array.from({ length: 784 }, (_, i) => i / 784);
    const { shape, data } = await tensor(JSON.stringify(Array(1000).fill(row)));
    expect(shape).toEqual([1000, 784]);
    expect(data.subarray(999 * 784)).toEqual(Float32Array.from(row));
  });
});

describe('refusals', () => {
  it.each([
    ['[]', 'empty-batch', '/inputs'],
    ['[[]]', 'shape-mismatch', '/inputs/0'],
    ['[[1],[]]', 'shape-mismatch', '/inputs/1'],
    ['[1,2]', 'shape-mismatch', '/inputs'],
    ['[[1,2],[3]]', 'shape-mismatch', '/inputs/1'],
    ['[[1],[2,3]]', 'shape-mismatch', '/inputs/1'],
    ['[[1],2]', 'shape-mismatch', '/inputs/1'],
    ['[[1,[2]]]', 'shape-mismatch', '/inputs/0/1'],
    ['[[[1,2],[3,4]],[[1,2]]]', 'shape-mismatch', '/inputs/1'],
    [`${'['.repeat(250_000)}`, 'shape-mismatch', '/inputs/0/0/0/0/0/0/0/0'],
    ['"abc"', 'invalid-type', '/inputs'],
    ['5', 'invalid-type', '/inputs'],
    ['null', 'invalid-type', '/inputs'],
    ['{}', 'invalid-type', '/inputs'],
    ['[[1,"2"]]', 'invalid-type', '/inputs/0/1'],
    ['[[1,"Infinity"]]', 'invalid-type', '/inputs/0/1'],
    ['[[1],[null]]', 'invalid-type', '/inputs/1/0'],
    ['[[true]]', 'invalid-type', '/inputs/0/0'],
    ['[[false]]', 'invalid-type', '/inputs/0/0'],
    ['[[{}]]', 'invalid-type', '/inputs/0/0'],
    ['[[1,2,1e39]]', 'non-finite', '/inputs/0/2'],
    ['[[-1e39]]', 'non-finite', '/inputs/0/0'],
    ['[[1e400]]', 'non-finite', '/inputs/0/0'],
    ['[[3.4028236e38]]', 'non-finite', '/inputs/0/0'],
    ['[[NaN]]', 'non-finite', '/inputs/0/0'],
    ['[[0,Infinity]]', 'non-finite', '/inputs/0/1'],
    ['[[-Infinity]]', 'non-finite', '/inputs/0/0'],
  ])('%s', async (text, code, field) => {
    const error = await refusal(text);
    expect({ code: error.code, field: error.facts.field }).toEqual({ code, field });
  });

  it.each([
    '[[01]]',
    '[[1.]]',
    '[[.5]]',
    '[[+1]]',
    '[[1e]]',
    '[[1e+]]',
    '[[-]]',
    '[[0x1]]',
    '[[1 2]]',
    '[[1,]]',
    '[,]',
    '[[1]',
    '[[1]]]',
    '[[1,2',
    '[[nul]]',
    `[[${'1'.repeat(300)}]]`,
    '[[1_0]]',
  ])('%s is not JSON', async (text) => {
    expect((await refusal(text)).code).toBe('malformed-json');
  });

  it('stop at the first row that is too many', async () => {
    const error = await refusal(`[${'[0],'.repeat(1_000_000)}`);
    expect(error).toMatchObject({ code: 'batch-too-large', facts: { expected: maxRows } });
  });
});
