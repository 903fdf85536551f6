// The strict JSON reader beside JSON.parse: the same values, the same refusals, and the ones that only it makes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../../src/base/errors.ts';
import { readJson } from '../../../src/gateway/json/read.ts';

const read = (text: string | Buffer) => readJson(Buffer.from(text as string));

async function refusal(text: string | Buffer): Promise<HourglassError> {
  const thrown = await read(text).catch((error: unknown) => error);
  if (!(thrown instanceof HourglassError)) throw new Error(`accepted: ${text.slice(0, 100)}`);
  return thrown;
}

function parsed(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

describe('readJson', () => {
  it('gives what JSON.parse gives', async () => {
    const equal = fc.asyncProperty(fc.json({ maxDepth: 6, stringUnit: 'grapheme' }), async (text) => {
      expect(await read(text)).toEqual(JSON.parse(text));
    });
    await fc.assert(equal, { numRuns: 300 });
  });

  it('accepts exactly what JSON.parse accepts when a text is damaged', async () => {
    const document = fc.json({ maxDepth: 4 });
    const damage = fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom(...'[]{}",:0123456789.-+eEtfn\\u \n\t\u0000\u007f/'));
    await fc.assert(
      fc.asyncProperty(document, fc.array(damage, { minLength: 1, maxLength: 3 }), async (text, edits) => {
        let damaged = text;
        for (const [at, cut, put] of edits) {
          const from = at % (damaged.length + 1);
          damaged = damaged.slice(0, from) + put + damaged.slice(from + cut);
        }
        const expected = parsed(damaged);
        const found = await read(damaged).then(
          (value) => ({ value }),
          (error: HourglassError) => error,
        );
        if (expected === undefined) expect(found).toMatchObject({ code: 'malformed-json' });
        else if (found instanceof HourglassError) expect(found.message).toMatch(/appears twice/);
        else expect(found).toEqual(expected);
      }),
      { numRuns: 1500 },
    );
  });

  it.each([
    ['an empty body', ''],
    ['white space', ' \n\t'],
    ['a second value', '{} {}'],
    ['a trailing comma', '{"a":1,}'],
    ['a comma in front', '[,1]'],
    ['single quotes', "{'a':1}"],
    ['a name without quotes', '{a:1}'],
    ['a comment', '{} // x'],
    ['NaN', '{"a":NaN}'],
    ['a leading zero', '[01]'],
    ['a leading plus', '[+1]'],
    ['a bare point', '[1.]'],
    ['a control character in a text', '["a\nb"]'],
    ['an unknown escape', '["\\x41"]'],
    ['half a surrogate escape', '["\\u12"]'],
    ['a name twice', '{"a":1,"a":1}'],
    ['a name twice, once escaped', '{"a":1,"\\u0061":1}'],
    ['a name twice further down', '{"a":[{"b":1,"b":2}]}'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}'],
    ['an unfinished text', '{"a":"b'],
    ['a number of more than 256 characters', `[${'1'.repeat(10_000_000)}]`],
    ['250,000 brackets', '['.repeat(250_000)],
    ['250,000 objects', '{"a":'.repeat(250_000)],
  ])('refuses %s', async (_, text) => {
    expect(await refusal(text)).toMatchObject({ code: 'malformed-json' });
  });

  it('refuses bytes that are not UTF-8, and a byte order mark', async () => {
    for (const bytes of [
      Buffer.from([0x22, 0xff, 0x22]),
      Buffer.from([0x22, 0xc0, 0xaf, 0x22]), // an overlong slash
      Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), // a surrogate
      Buffer.from('\ufeff{}'),
      Buffer.from('{}', 'utf16le'),
    ]) {
      expect(await refusal(bytes)).toMatchObject({ code: 'malformed-json' });
    }
  });

  it('keeps __proto__ an ordinary name', async () => {
    const value = (await read('{"__proto__":{"polluted":true},"constructor":1}')) as object;
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('says where reading stopped and what should have been there', async () => {
    expect(await refusal('{"a": tru}')).toMatchObject({
      message: 'Byte 6 of the body is "t" where a value should be.',
      facts: { found: { byte: 6 }, expected: 'a value' },
    });
    expect((await refusal('{"a"')).message).toBe('The body ends after 4 bytes where ":" should follow.');
    expect((await refusal('{"ä" 1}')).message).toBe('Byte 6 of the body is "1" where ":" should be.');
    expect((await refusal('[é]')).message).toContain('"é"');
  });
});

it('refuses an object of more names than any request needs, wherever it is', async () => {
  const many = (count: number): string =>
    JSON.stringify({ a: [Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i}`, [1]]))] });
  expect(await readJson(Buffer.from(many(4096)))).toEqual(JSON.parse(many(4096)));
  await expect(readJson(Buffer.from(many(4097)))).rejects.toMatchObject({
    code: 'malformed-json',
    message: expect.stringContaining('more than 4096 names'),
  });
});
