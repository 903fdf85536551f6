// Messages are the same however the stream cuts them, and what is dropped stays dropped.
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { GrowingBuffer } from '../../../src/gateway/growing-buffer.ts';
import { MessageSplitter } from '../../../src/gateway/grpc/message-memory.ts';

function framed(length: number): Buffer {
  const message = randomBytes(5 + length);
  message.writeUInt8(0, 0);
  message.writeUInt32BE(length, 1);
  return message;
}

it.each([1, 3, 5, 6, 1000, 16_384, 65_536, 5_000_000])('finds the messages in pieces of %i bytes', (pieceBytes) => {
  const sizes = pieceBytes < 1000 ? [0, 1, 4, 700, 0, 90_000] : [0, 1, 300_000, 262_139, 262_140, 0, 1_500_000, 7];
  const messages = sizes.map(framed);
  const stream = Buffer.concat(messages);
  const splitter = new MessageSplitter(2_000_000);
  const found: Buffer[] = [];
  for (let at = 0; at < stream.length; at += pieceBytes) {
    // Node.js may use the memory of a piece again.
    const piece = Buffer.from(stream.subarray(at, at + pieceBytes));
    found.push(...splitter.write(piece));
    piece.fill(0);
  }
  expect(found.map(({ length }) => length)).toEqual(messages.map(({ length }) => length));
  expect(Buffer.concat(found).equals(stream)).toBe(true);
});

it('refuses a message that announces more than the limit, at its fifth byte', () => {
  const splitter = new MessageSplitter(1000);
  expect(splitter.write(framed(1001).subarray(0, 4))).toEqual([]);
  const other = new MessageSplitter(1000);
  expect(() => other.write(framed(1001).subarray(0, 5))).toThrow('1001 vs 1000');
});

it('takes nothing more once it is dropped', () => {
  const splitter = new MessageSplitter(1_000_000);
  splitter.write(framed(900_000).subarray(0, 800_000));
  splitter.drop();
  expect(splitter.write(Buffer.concat([framed(10), framed(20)]))).toEqual([]);
});

it('gives memory back to the system when it is dropped, without a garbage collection', () => {
  const before = process.memoryUsage().rss;
  const buffer = new GrowingBuffer(64 * 2 ** 20);
  const piece = Buffer.alloc(2 ** 20, 1);
  for (let i = 0; i < 60; i++) buffer.push(piece);
  const full = process.memoryUsage().rss;
  buffer.drop();
  const dropped = process.memoryUsage().rss;
  expect((full - before) / 2 ** 20).toBeGreaterThan(50);
  expect((full - dropped) / 2 ** 20).toBeGreaterThan(50);
  expect(buffer.length).toBe(0);
});
