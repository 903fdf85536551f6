// Many of something at once: uploads, imports, streams, pipelined requests, cancelled calls. Each has places, and refuses
// with the name of its limit.
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { grpcStatus } from '../../src/base/errors.ts';
import { call, framed, startTarget } from './target.ts';

it('silent uploads are cut off, and only so many are taken', async () => {
  const target = await startTarget({ maxUploads: 10, stallTimeoutMs: 1500 });
  const senders = await Promise.all(Array.from({ length: 20 }, () => target.open()));
  for (const [i, sender] of senders.entries()) {
    sender.resume();
    sender.write(
      `POST /v1/datasets?name=s${i} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/csv\r\nContent-Length: 4000\r\n\r\n1`,
    );
  }
  await expect.poll(() => target.unfinished()).toBe(5);
  const refused = await fetch(`${target.url}/v1/datasets?name=late`, {
    method: 'POST',
    headers: { 'content-type': 'text/csv' },
    body: '1,2\n3,4\n',
  });
  expect({ status: refused.status, ...((await refused.json()) as object) }).toMatchObject({
    status: 429,
    detail: expect.stringContaining('HOURGLASS_MAX_UPLOADS'),
  });
  await expect.poll(() => target.unfinished(), { timeout: 15_000 }).toBe(0);
});

it('uploads over gRPC that stop are cut off, too', async () => {
  const target = await startTarget({ stallTimeoutMs: 500 });
  const { stream, status } = call(await target.session(), 'hourglass.v1.DatasetService/CreateDataset');
  stream.write(framed(Buffer.from([10, 3, 10, 1, 0x73])));
  expect(await status).toBe(grpcStatus.DEADLINE_EXCEEDED);
});

it('imports take turns in a few threads, and one whose client leaves is gone at once', async () => {
  const target = await startTarget({ importThreads: 1, maxUploads: 100 });
  const slow = gzipSync('1\n'.repeat(20_000_000));
  const upload = (name: string, body: Uint8Array<ArrayBuffer>, signal?: AbortSignal) =>
    fetch(`${target.url}/v1/datasets?name=${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/gzip' },
      body,
      ...(signal && { signal }),
    });
  const leaving = new AbortController();
  const flood = Array.from({ length: 20 }, (_, i) =>
    upload(`flood-${i}`, new Uint8Array(slow), leaving.signal).catch(() => undefined),
  );
  await expect.poll(() => target.unfinished()).toBe(20);
  await sleep(500);
  leaving.abort();
  await Promise.all(flood);
  await expect.poll(() => target.unfinished(), { timeout: 5000 }).toBe(0);
  const answer = await upload('after', new Uint8Array(gzipSync('1,2\n3,4\n5,6\n7,8\n9,8\n7,6\n5,4\n3,2\n1,2\n3,4\n')));
  expect(answer.status).toBe(201);
});

it('streams of health and reflection have places, which end when they are quiet', async () => {
  const target = await startTarget({ maxWatchers: 20, stallTimeoutMs: 1000 });
  const session = await target.session();
  const watches = Array.from({ length: 10 }, () => call(session, 'grpc.health.v1.Health/Watch'));
  for (const { stream } of watches) stream.resume().end(framed(Buffer.alloc(0)));
  await sleep(300);
  const tooMany = call(session, 'grpc.health.v1.Health/Watch');
  tooMany.stream.resume().end(framed(Buffer.alloc(0)));
  expect(await tooMany.status).toBe(grpcStatus.RESOURCE_EXHAUSTED);
  const reflection = call(session, 'grpc.reflection.v1.ServerReflection/ServerReflectionInfo');
  reflection.stream.resume();
  expect(await reflection.status).toBe(grpcStatus.RESOURCE_EXHAUSTED);
  for (const { stream } of watches) stream.close();
  await sleep(300);
  const quiet = call(session, 'grpc.reflection.v1.ServerReflection/ServerReflectionInfo');
  quiet.stream.resume();
  expect(await quiet.status).toBe(grpcStatus.DEADLINE_EXCEEDED);
});

it('a gRPC connection has so many calls, and a client so many over all its connections', async () => {
  const target = await startTarget({ maxCalls: 20 });
  const statuses: Promise<number | undefined>[] = [];
  for (let i = 0; i < 3; i++) {
    const session = await target.session();
    for (let k = 0; k < 5; k++) statuses.push(call(session, 'hourglass.v1.InferenceService/Encode').status);
  }
  expect(await Promise.race(statuses)).toBe(grpcStatus.RESOURCE_EXHAUSTED);
  expect((await target.encode()).status).toBe(200);
});

it('a connection that cancels too many calls is ended', async () => {
  const target = await startTarget({ maxResets: 50 });
  const session = await target.session();
  const goaway = new Promise<number>((resolve) => session.once('goaway', resolve));
  for (let i = 0; i < 100; i++) {
    const { stream } = call(session, 'hourglass.v1.InferenceService/Encode');
    stream.close(8);
  }
  const enhanceYourCalm = 11;
  expect(await goaway).toBe(enhanceYourCalm);
  expect((await target.encode()).status).toBe(200);
});
