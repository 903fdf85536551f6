// The grammar of model references.
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { parseReference, showReference } from '../../src/registry/reference.ts';

describe('a model reference', () => {
  it.each([
    ['digits', { kind: 'newest', name: 'digits' }],
    ['a.b-c_9', { kind: 'newest', name: 'a.b-c_9' }],
    ['digits@2', { kind: 'version', name: 'digits', version: 2 }],
    ['digits@999999999', { kind: 'version', name: 'digits', version: 999_999_999 }],
    ['digits:stable', { kind: 'alias', name: 'digits', alias: 'stable' }],
    ['9:a9', { kind: 'alias', name: '9', alias: 'a9' }],
  ])('%s is read, and written again', (text, reference) => {
    expect(parseReference(text)).toEqual(reference);
    expect(showReference(parseReference(text))).toBe(text);
  });

  it.each([
    '',
    '@2',
    ':stable',
    'Digits',
    '.digits',
    '-digits',
    'digits@',
    'digits@0',
    'digits@02',
    'digits@-1',
    'digits@1.0',
    'digits@1e3',
    'digits@ 1',
    'digits@9999999999',
    'digits@v2',
    'digits:',
    'digits:2',
    'digits:Stable',
    'digits@2:stable',
    'digits:stable@2',
    'digits:a:b',
    'digits\n',
    'digits@2\n',
    '../digits',
    'dig/its',
    'digits\0',
    '__proto__',
    `a${'b'.repeat(63)}`,
  ])('%j is refused', (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'invalid-reference' }));
  });

  it('shows what was found, shortened, and what is allowed', () => {
    try {
      parseReference('X'.repeat(10_000));
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(HourglassError);
      expect((error as HourglassError).message.length).toBeLessThan(400);
      expect((error as HourglassError).message).toContain('digits@2');
    }
  });
});
