// Which of the possible answers a client would rather have.
import { describe, expect, it } from 'vitest';
import { mediaType, negotiate } from '../../../src/gateway/http/media.ts';

const offered = ['application/json', 'application/octet-stream', 'image/png'] as const;

describe('negotiate', () => {
  it.each([
    [undefined, 'application/json'],
    ['', 'application/json'],
    ['*/*', 'application/json'],
    ['application/*', 'application/json'],
    ['image/*', 'image/png'],
    ['image/png', 'image/png'],
    ['IMAGE/PNG', 'image/png'],
    ['image/png, */*', 'application/json'],
    ['image/png, */*;q=0.5', 'image/png'],
    ['application/json;q=0.1, application/octet-stream;q=0.2', 'application/octet-stream'],
    ['application/json;q=0, */*', 'application/octet-stream'],
    ['text/html, application/xhtml+xml, image/webp, */*;q=0.8', 'application/json'],
    ['application/octet-stream; q=nonsense, image/png;q=0.1', 'image/png'],
  ])('%s → %s', (accept, type) => {
    expect(negotiate(accept, offered)).toBe(type);
  });

  it.each(['text/html', 'application/json;q=0', 'nonsense', 'image/jpeg, text/*'])(
    '%s cannot be answered',
    (accept) => {
      expect(() => negotiate(accept, offered)).toThrow(
        expect.objectContaining({ code: 'not-acceptable', facts: expect.objectContaining({ expected: offered }) }),
      );
    },
  );
});

it('reads the type of a body', () => {
  expect(mediaType('Application/JSON; charset=utf-8')).toBe('application/json');
  expect(mediaType(' text/csv ')).toBe('text/csv');
  expect(mediaType('')).toBe('');
});
