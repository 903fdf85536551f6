// Clients that send much and read nothing: what they make the gateway hold is bounded, and others are answered meanwhile.
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { grpcStatus } from '../../src/base/errors.ts';
import { GetFileRequestSchema } from '../../src/gen/hourglass/v1/registry_pb.ts';
import { call, framed, grownBy, largeBytes, mebibyte, startTarget } from './target.ts';

const encodePath = 'hourglass.v1.InferenceService/Encode';
const held = async (target: Awaited<ReturnType<typeof startTarget>>): Promise<number> =>
  Number(/request_body_memory_bytes\{[^}]*\} (\d+)/.exec(await target.metrics.render())?.[1] ?? 0);

it('files that nobody reads are not held in memory, and are cut off', async () => {
  const target = await startTarget({ maxDownloads: 60, stallTimeoutMs: 3000 });
  const before = process.memoryUsage().rss;
  const path = '/v1/models/tiny/versions/1/files/large.bin';
  const readers = await Promise.all(Array.from({ length: 40 }, () => target.open()));
  for (const reader of readers) reader.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  await sleep(1500);
  // 30 are let in, the share of one client; as a whole they would be 240 MiB.
  expect(grownBy(before)).toBeLessThan(100);
  const refused = await fetch(`${target.url}${path}`);
  expect({ status: refused.status, ...((await refused.json()) as object) }).toMatchObject({
    status: 429,
    detail: expect.stringContaining('HOURGLASS_MAX_DOWNLOADS'),
  });
  expect((await target.encode()).status).toBe(200);
  // Once the stalled readers are gone, a file arrives whole.
  await expect
    .poll(async () => (await fetch(`${target.url}${path}`)).arrayBuffer().then(({ byteLength }) => byteLength), {
      timeout: 20_000,
      interval: 500,
    })
    .toBe(largeBytes);
});

it('files over gRPC wait for a reader that opens no window', async () => {
  const target = await startTarget({ maxDownloads: 60, stallTimeoutMs: 2000 });
  const session = await target.session({ initialWindowSize: 0 });
  const request = framed(
    toBinary(GetFileRequestSchema, create(GetFileRequestSchema, { name: 'tiny', version: 1, path: 'large.bin' })),
  );
  const before = process.memoryUsage().rss;
  const calls = Array.from({ length: 40 }, () => call(session, 'hourglass.v1.RegistryService/GetFile'));
  for (const { stream } of calls) stream.end(request);
  await sleep(1000);
  expect(grownBy(before)).toBeLessThan(100);
  // Ten are refused, the others are cut after the stall timeout.
  const endings = await Promise.all(calls.map(({ status }) => status));
  expect(endings.filter((status) => status === grpcStatus.RESOURCE_EXHAUSTED)).toHaveLength(10);
  expect(endings.filter((status) => status === undefined)).toHaveLength(30);
  await expect.poll(() => held(target)).toBe(0);
});

it('half-sent gRPC messages count, and the idle ones are cut for those who send', async () => {
  const target = await startTarget({ maxBodyBytes: 8 * mebibyte, maxBodyMemoryBytes: 24 * mebibyte, clientShare: 100 });
  const session = await target.session();
  const { rss, arrayBuffers } = process.memoryUsage();
  const buffers = (): number => (process.memoryUsage().arrayBuffers - arrayBuffers) / mebibyte;
  const announced = Buffer.alloc(5);
  announced.writeUInt32BE(7 * mebibyte, 1);
  // All calls send the same piece: the client's own side of it, in this process, stays small.
  const piece = Buffer.alloc(mebibyte);
  const calls = Array.from({ length: 60 }, () => call(session, encodePath));
  for (const { stream } of calls) {
    stream.write(announced);
    for (let i = 0; i < 6; i++) stream.write(piece);
  }
  const refused = calls.map(({ status }) => status);
  await expect.poll(async () => (await held(target)) > 0).toBe(true);
  await Promise.race(refused);
  expect(await held(target)).toBeLessThanOrEqual(24 * mebibyte);
  await sleep(1500);
  // Pieces of messages that would be kept as they came keep the reads that they are parts of: more than twice the limit.
  expect(buffers()).toBeLessThan(32);
  expect(grownBy(rss)).toBeLessThan(120);
  expect((await target.encode()).status).toBe(200);
  // A large request finds room once the others have not moved for a second.
  const inputs = Array.from({ length: 16_000 }, () => Array(4).fill(0.123456789012345));
  const body = JSON.stringify({ inputs });
  const encodeMany = async (): Promise<number> => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${target.url}/encode?model=tiny`, { method: 'POST', headers, body });
    await answer.arrayBuffer();
    return answer.status;
  };
  await expect.poll(encodeMany, { timeout: 20_000 }).toBe(200);
  session.destroy();
  await expect.poll(() => held(target)).toBe(0);
  // Ordinary buffers of messages would wait here for a garbage collection, as the large requests above may do.
  expect(buffers()).toBeLessThan(32);
});

it('what gRPC messages decompress to counts, and a few are decompressed at a time', async () => {
  const target = await startTarget({ maxBodyBytes: 16 * mebibyte, maxBodyMemoryBytes: 48 * mebibyte });
  const bomb = framed(gzipSync(Buffer.alloc(15 * mebibyte)), true);
  const tooLarge = framed(gzipSync(Buffer.alloc(17 * mebibyte)), true);
  const session = await target.session();
  const before = process.memoryUsage().rss;
  const calls = [...Array(30).fill(bomb), tooLarge].map((message: Buffer) => {
    const one = call(session, encodePath, { 'grpc-encoding': 'gzip' });
    one.stream.end(message);
    return one.status;
  });
  let most = 0;
  let mostHeld = 0;
  const watch = setInterval(() => {
    most = Math.max(most, grownBy(before));
    void held(target).then((bytes) => {
      mostHeld = Math.max(mostHeld, bytes);
    });
  }, 20);
  const endings = await Promise.all(calls);
  clearInterval(watch);
  // Zeros are no message; beyond the limit it is not looked at. Nothing else may come of it.
  expect(endings.at(-1)).toBe(grpcStatus.RESOURCE_EXHAUSTED);
  expect(
    endings.every((status) => status === grpcStatus.INVALID_ARGUMENT || status === grpcStatus.RESOURCE_EXHAUSTED),
  ).toBe(true);
  expect(mostHeld).toBeGreaterThan(mebibyte);
  expect(mostHeld).toBeLessThanOrEqual(48 * mebibyte);
  expect(most).toBeLessThan(200);
  await expect.poll(() => held(target)).toBe(0);
});

it('a specification over gRPC is as small as over REST', async () => {
  const target = await startTarget();
  const session = await target.session();
  const { stream, status } = call(session, 'hourglass.v1.SweepService/SubmitSweep');
  stream.end(framed(Buffer.alloc(2 * mebibyte)));
  expect(await status).toBe(grpcStatus.RESOURCE_EXHAUSTED);
});

it('large bodies that stop on their way do not lock out small requests, nor for long large ones', async () => {
  const limits = { maxBodyBytes: 4 * mebibyte, maxBodyMemoryBytes: 12 * mebibyte, clientShare: 100 };
  const target = await startTarget(limits);
  const head = `POST /encode?model=tiny HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\nContent-Length: ${4 * mebibyte}\r\n\r\n`;
  const senders = await Promise.all(Array.from({ length: 12 }, () => target.open()));
  for (const sender of senders) sender.resume().write(Buffer.concat([Buffer.from(head), Buffer.alloc(3 * mebibyte)]));
  await expect.poll(() => held(target)).toBeGreaterThan(4 * mebibyte);
  for (let i = 0; i < 20; i++) expect((await target.encode()).status).toBe(200);
  await sleep(1200);
  const large = await fetch(`${target.url}/encode?model=tiny`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: Buffer.alloc(16 * 16_000),
  });
  expect(large.status).toBe(200);
  await large.arrayBuffer();
});

it('thousands of bodies of one byte hold a few bytes each', async () => {
  const target = await startTarget({ maxBodyMemoryBytes: 16 * mebibyte, maxBodyBytes: 4 * mebibyte });
  const head = `POST /encode?model=tiny HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\nContent-Length: ${3 * mebibyte}\r\n\r\n0`;
  const senders = await Promise.all(Array.from({ length: 500 }, () => target.open()));
  for (const sender of senders) sender.write(head);
  await expect.poll(() => held(target)).toBeGreaterThan(400);
  await sleep(300);
  expect(await held(target)).toBeLessThan(mebibyte);
  expect((await target.encode()).status).toBe(200);
});

it('answers that nobody reads are counted and cut off', async () => {
  const target = await startTarget({ stallTimeoutMs: 2000 });
  const codes = JSON.stringify({ codes: Array.from({ length: 16_000 }, () => [0.5, 0.25]) });
  const request = `POST /decode?model=tiny HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/octet-stream\r\nContent-Length: ${codes.length}\r\n\r\n${codes}`;
  const reader = await target.open();
  // Enough of them that the socket's buffers cannot hold them.
  for (let i = 0; i < 60; i++) reader.write(request);
  await expect.poll(() => held(target)).toBeGreaterThan(0);
  const closed = new Promise((resolve) => reader.once('close', resolve));
  reader.on('end', () => {});
  await expect.poll(() => held(target), { timeout: 20_000 }).toBe(0);
  reader.resume();
  await closed;
});

const pipelined = (path: string, body: string, accept: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: ${accept}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

it('an answer that would find no room is refused before it is computed', async () => {
  const target = await startTarget({ maxBodyBytes: mebibyte, maxBodyMemoryBytes: 3 * mebibyte, maxPipelined: 1000 });
  const codes = JSON.stringify({ codes: Array.from({ length: 16_384 }, () => [0.5, 1]) });
  const rowsComputed = async (): Promise<number> =>
    Number(/predicted_rows_total\{operation="decode"[^}]*\} (\d+)/.exec(await target.metrics.render())?.[1] ?? 0);
  const readers = await Promise.all(Array.from({ length: 8 }, () => target.open()));
  // Enough of them that the sockets' buffers cannot hold them.
  for (const reader of readers) {
    for (let i = 0; i < 40; i++) reader.write(pipelined('/decode?model=tiny', codes, 'application/octet-stream'));
  }
  const decode = async (url: string) => {
    const body = Buffer.from(codes);
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    await answer.arrayBuffer();
    return answer.status;
  };
  // Those that stay unread leave less than the room of an answer: 256 KiB of numbers.
  const refused = async (): Promise<boolean> => {
    const before = await rowsComputed();
    return (await decode(`${target.url}/decode?model=tiny`)) === 429 && (await rowsComputed()) === before;
  };
  await expect.poll(refused, { timeout: 20_000 }).toBe(true);
  expect((await target.encode()).status).toBe(200);
});

it('small answers that queue up on a connection count', async () => {
  const target = await startTarget({ maxPipelined: 1000 });
  const inputs = JSON.stringify({ inputs: Array.from({ length: 4000 }, () => [1, 2, 3, 4]) });
  const reader = await target.open();
  for (let i = 0; i < 400; i++) reader.write(pipelined('/encode?model=tiny', inputs, 'application/json'));
  await expect.poll(() => held(target), { timeout: 20_000 }).toBeGreaterThan(30_000);
  reader.destroy();
  await expect.poll(() => held(target)).toBe(0);
});

it('what bodies of the Open Inference Protocol decompress to counts', async () => {
  const target = await startTarget({ maxBodyBytes: 16 * mebibyte, maxBodyMemoryBytes: 48 * mebibyte });
  const bomb = gzipSync(Buffer.alloc(15 * mebibyte, ' '));
  let mostHeld = 0;
  const watch = setInterval(() => {
    void held(target).then((bytes) => {
      mostHeld = Math.max(mostHeld, bytes);
    });
  }, 10);
  const ask = async (): Promise<number> => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const answer = await fetch(`${target.url}/v2/models/tiny/infer`, { method: 'POST', headers, body: bomb });
    await answer.arrayBuffer();
    return answer.status;
  };
  const statuses = await Promise.all(Array.from({ length: 12 }, ask));
  clearInterval(watch);
  // Blanks are no JSON; beyond the limit nobody looks.
  expect(statuses.every((status) => status === 400 || status === 429)).toBe(true);
  expect(mostHeld).toBeGreaterThan(mebibyte);
  expect(mostHeld).toBeLessThanOrEqual(48 * mebibyte);
  await expect.poll(() => held(target)).toBe(0);
});

it('long answers of every protocol arrive whole, compressed or not', async () => {
  const target = await startTarget();
  const rows = 5000;
  const data = Array.from({ length: rows * 2 }, (_, i) => i % 7);
  const instances = Array.from({ length: rows }, (_, i) => data.slice(2 * i, 2 * i + 2));
  const ask = async (path: string, body: object): Promise<string> => {
    const headers = { 'content-type': 'application/json', 'accept-encoding': 'gzip' };
    const answer = await fetch(target.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    expect(answer.status, path).toBe(200);
    return answer.text();
  };
  const plain = JSON.parse(await ask('/v1/models/tiny/decode', { codes: instances })).outputs.flat();
  expect(plain).toHaveLength(rows * 4);
  expect(JSON.parse(await ask('/v1/models/tiny.decode:predict', { instances })).predictions.flat()).toEqual(plain);
  const tensor = { name: 'codes', shape: [rows, 2], datatype: 'FP32', data };
  const inferred = JSON.parse(await ask('/v2/models/tiny.decode/infer', { inputs: [tensor] }));
  expect(inferred.outputs[0].data).toEqual(plain);
});
