// What every call has: an end when nobody waits any more, a request id, a line in the log, metrics, and an orderly stop.
import http2 from 'node:http2';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { HourglassError } from '../../../src/base/errors.ts';
import { createGrpcServer } from '../../../src/gateway/grpc/server.ts';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../../src/gen/grpc/health/v1/health_pb.ts';
import { InferenceService } from '../../../src/gen/hourglass/v1/inference_pb.ts';
import { TrainingService } from '../../../src/gen/hourglass/v1/training_pb.ts';
import type { JobQueue } from '../../../src/queue/job-queue.ts';
import { failureOf, TestClient } from './client.ts';
import { GatedPredictor, startServer, type TestServer } from './harness.ts';

const { encode } = InferenceService.method;
const small = { content: { case: 'inputs' as const, value: { shape: [1, 2], values: [0.25, 0.5] } } };

let running: TestServer;
afterEach(() => running.stop());

async function withPredictor(isOpen: boolean): Promise<GatedPredictor> {
  const predictor = new GatedPredictor({ isOpen });
  running = await startServer({ predictor });
  return predictor;
}

const isAlive = async () => expect((await running.client.call(encode, small)).codes?.values).toEqual([0.25, 0.5]);
const asked = (predictor: GatedPredictor) => vi.waitFor(() => expect(predictor.asked).toHaveLength(1));

describe('a call that nobody waits for', () => {
  /** A call that no library watches over, so that only the server's clock counts. EncodeRequest: one row of 0. */
  const message = Buffer.from([0, 0, 0, 0, 12, 0x12, 10, 0x0a, 2, 1, 1, 0x12, 4, 0, 0, 0, 0]);
  function plainCall(headers: Record<string, string> = {}) {
    const session = http2.connect(`http://127.0.0.1:${running.port}`);
    session.on('error', () => undefined);
    onTestFinished(() => session.destroy());
    const path = '/hourglass.v1.InferenceService/Encode';
    const grpc = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
    const stream = session.request({ ...grpc, ...headers });
    stream.on('error', () => undefined);
    const answer = new Promise<http2.IncomingHttpHeaders>((resolve) => stream.on('response', resolve));
    return { session, stream, answer };
  }

  it('tells its work when the deadline passes', async () => {
    const predictor = await withPredictor(false);
    const { stream, answer } = plainCall({ 'grpc-timeout': '1S' });
    stream.end(message);
    expect(await answer).toMatchObject({ 'grpc-status': '4', 'grpc-message': expect.stringContaining('deadline') });
    await vi.waitFor(() => expect(predictor.asked[0]?.demand?.signal?.aborted).toBe(true));
    expect(predictor.asked[0]?.demand?.signal?.reason).toMatchObject({ code: 'deadline-exceeded' });
    const failure = await failureOf(running.client.call(encode, small, { deadline: Date.now() + 100 }));
    expect(failure.status).toBe('DEADLINE_EXCEEDED');
  });

  it('tells its work when the client is gone', async () => {
    const predictor = await withPredictor(false);
    const gone = new AbortController();
    const call = failureOf(running.client.call(encode, small, { signal: gone.signal }));
    await asked(predictor);
    gone.abort();
    expect((await call).status).toBe('CANCELLED');
    await vi.waitFor(() => expect(predictor.asked[0]?.demand?.signal?.aborted).toBe(true));
    expect(predictor.asked[0]?.demand?.signal?.reason).toMatchObject({ code: 'cancelled' });
  });

  it('tells its work when the connection breaks', async () => {
    const predictor = await withPredictor(false);
    const { session, stream } = plainCall();
    stream.end(message);
    await asked(predictor);
    session.destroy();
    await vi.waitFor(() => expect(predictor.asked[0]?.demand?.signal?.aborted).toBe(true));
  });

  it('is not begun when its deadline has passed on the way', async () => {
    const predictor = await withPredictor(true);
    const { stream, answer } = plainCall({ 'grpc-timeout': '50m' });
    stream.write(message.subarray(0, 10));
    expect(await answer).toMatchObject({ 'grpc-status': '4' });
    stream.end(message.subarray(10));
    await isAlive();
    expect(predictor.asked).toHaveLength(1);
  });

  it('has a deadline of the server’s own', async () => {
    const predictor = new GatedPredictor({ isOpen: false });
    running = await startServer({ predictor, config: { deadlineMs: 50 } });
    const failure = await failureOf(running.client.call(encode, small));
    expect(failure).toMatchObject({ status: 'DEADLINE_EXCEEDED', code: 'deadline-exceeded', retryAfter: 1 });
    expect(failure.text).toContain('within 0.05 s');
    expect(predictor.asked[0]?.demand?.signal?.aborted).toBe(true);
  });

  it('is given up when the request does not arrive', async () => {
    running = await startServer({ config: { bodyTimeoutMs: 60 } });
    const { stream, answer } = plainCall();
    stream.write(message.subarray(0, 3));
    expect(await answer).toMatchObject({
      'grpc-status': '4',
      'grpc-message': expect.stringContaining('did%20not%20arrive'),
    });
  });
});

describe('every call', () => {
  it('has a request id, the client’s own when it is a harmless one', async () => {
    await withPredictor(true);
    const empty = { content: { case: undefined } };
    const mine = await failureOf(running.client.call(encode, empty, { metadata: { 'x-request-id': 'a-1' } }));
    expect(mine.requestId).toBe('a-1');
    expect(mine.trailers.get('x-request-id')).toEqual(['a-1']);
    const other = await failureOf(running.client.call(encode, empty, { metadata: { 'x-request-id': '<a href="x">' } }));
    expect(other.requestId).toMatch(/^[0-9a-f-]{36}$/);
    const lines = running.log.filter(({ requestId }) => requestId === 'a-1');
    expect(lines).toMatchObject([{ level: 'info', msg: 'answered', code: 'invalid-request', transport: 'grpc' }]);
  });

  it('is counted by method and outcome', async () => {
    await withPredictor(true);
    await running.client.call(encode, small);
    await failureOf(running.client.call(encode, { content: { case: undefined } }));
    await failureOf(running.client.call(TrainingService.method.getJob, { id: '1' }));
    const route = 'route="/hourglass.v1.InferenceService/Encode"';
    await vi.waitFor(async () => {
      const text = await running.metrics.render();
      expect(text).toMatch(new RegExp(`hourglass_requests_total\\{.*${route},code="ok".*\\} 1`));
      expect(text).toMatch(new RegExp(`hourglass_requests_total\\{.*${route},code="invalid-request".*\\} 1`));
      expect(text).toMatch(/hourglass_requests_total\{.*GetJob",code="queue-unavailable".*\} 1/);
      expect(text).toMatch(/hourglass_request_duration_seconds_count\{.*Encode".*\} 2/);
      expect(text).toMatch(/hourglass_requests_in_flight\{transport="grpc".*\} 0/);
    });
  });

  it('tells how long its request and its answer were on their way, when it predicts', async () => {
    await withPredictor(true);
    await running.client.call(encode, small);
    await failureOf(running.client.call(encode, { content: { case: undefined } }));
    await failureOf(running.client.call(TrainingService.method.getJob, { id: '1' }));
    await vi.waitFor(async () => {
      const text = await running.metrics.render();
      const counts = [...text.matchAll(/stage_duration_seconds_count\{stage="(\w+)",operation="(\w+)".*\} (\d+)/g)];
      expect(counts.map(([, ...found]) => found)).toEqual([
        ['read', 'encode', '2'],
        ['write', 'encode', '1'],
      ]);
    });
  });

  it('names the time after which trying again makes sense', async () => {
    running = await startServer();
    const failure = await failureOf(running.client.call(TrainingService.method.getJob, { id: '1' }));
    expect(failure).toMatchObject({ status: 'UNAVAILABLE', code: 'queue-unavailable', retryAfter: 3 });
    expect(failure.trailers.get('grpc-retry-pushback-ms')).toEqual(['3000']);
  });

  it('hides what is our own fault, and logs it', async () => {
    const predictor = await withPredictor(true);
    predictor.predict = async () => {
      throw new TypeError('secret /etc/path is not a function');
    };
    const failure = await failureOf(running.client.call(encode, small));
    expect(failure).toMatchObject({ status: 'INTERNAL', code: 'internal' });
    expect(JSON.stringify([failure, failure.trailers.toJSON()])).not.toContain('secret');
    const logged = running.log.find(({ msg }) => msg === 'call failed');
    expect(logged).toMatchObject({ level: 'error', requestId: failure.requestId });
    expect(JSON.stringify(logged)).toContain('secret');
  });

  it('can say anything in its error', async () => {
    const predictor = await withPredictor(true);
    const text = `50% of "${'\ud800'}" and ü\n${'x'.repeat(5000)}`;
    predictor.predict = async () => {
      throw new HourglassError('invalid-request', text, { field: '/x', expected: [text], found: text });
    };
    const failure = await failureOf(running.client.call(encode, small));
    expect(failure.code).toBe('invalid-request');
    expect(failure.text).toMatch(/^50% of "\ufffd" and ü\nx+…$/);
    expect(failure.text.length).toBeLessThan(1100);
  });
});

it('takes so many connections and no more; one without a call makes room', async () => {
  const predictor = new GatedPredictor({ isOpen: false });
  running = await startServer({ predictor, config: { maxConnections: 1 } });
  const waiting = running.client.call(encode, small);
  await expect.poll(() => predictor.asked.length).toBe(1);
  const second = new TestClient(running.port);
  expect(await failureOf(second.call(encode, small, { deadline: Date.now() + 5000 }))).toMatchObject({
    status: 'UNAVAILABLE',
  });
  second.close();
  predictor.open();
  await waiting;
  const third = new TestClient(running.port);
  await third.call(encode, small);
  third.close();
});

describe('stopping', () => {
  /** A queue whose jobs never say anything. */
  const silent: Pick<JobQueue, 'events'> = {
    async *events(_, { signal } = {}) {
      await new Promise((resolve) => signal?.addEventListener('abort', resolve));
    },
  };

  it('lets calls finish, ends event streams, and takes no more', async () => {
    const predictor = new GatedPredictor({ isOpen: false });
    running = await startServer({ predictor, queue: silent as JobQueue });
    const call = running.client.call(encode, small);
    const watch = failureOf(running.client.stream(TrainingService.method.watchJob, { id: '1' }).next());
    await asked(predictor);
    const closed = running.server.close(10_000);
    expect(await watch).toMatchObject({ status: 'UNAVAILABLE', code: 'shutting-down' });
    predictor.open();
    expect((await call).codes?.values).toEqual([0.25, 0.5]);
    await closed;
    const late = await failureOf(running.client.call(encode, small, { deadline: Date.now() + 2000 }));
    expect(late.status).toBe('UNAVAILABLE');
  });

  it('sends its clients elsewhere (GOAWAY), and finishes what they have begun', async () => {
    const predictor = await withPredictor(false);
    const session = http2.connect(`http://127.0.0.1:${running.port}`);
    const away = new Promise<number>((resolve) => session.once('goaway', resolve));
    const call = running.client.call(encode, small);
    await asked(predictor);
    await new Promise((resolve) => session.ping(resolve)); // it is connected
    const closed = running.server.close(10_000);
    expect(await away).toBe(http2.constants.NGHTTP2_NO_ERROR);
    predictor.open();
    expect((await call).codes?.values).toEqual([0.25, 0.5]);
    await closed;
    expect(session.closed).toBe(true);
  });

  it('has room for so many event streams and no more', async () => {
    running = await startServer({ queue: silent as JobQueue });
    const watch = () => running.client.stream(TrainingService.method.watchJob, { id: '1' }).next();
    const open = [watch(), watch(), watch()].map(failureOf);
    const failure = await failureOf(watch());
    expect(failure).toMatchObject({ status: 'RESOURCE_EXHAUSTED', code: 'overloaded', retryAfter: 1 });
    await running.server.close(1000);
    expect((await Promise.all(open)).map(({ code }) => code)).toEqual(Array(3).fill('shutting-down'));
  });

  it('cuts off what does not finish in time', async () => {
    const predictor = await withPredictor(false);
    const call = failureOf(running.client.call(encode, small));
    await asked(predictor);
    await running.server.close(50);
    expect(['CANCELLED', 'UNAVAILABLE']).toContain((await call).status);
    await vi.waitFor(() => expect(predictor.asked[0]?.demand?.signal?.aborted).toBe(true));
  });

  it('works without having begun: the port was taken', async () => {
    running = await startServer();
    const second = createGrpcServer({ ...running.parts });
    await expect(second.listen('127.0.0.1', running.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await second.close(0);
  });

  it('does not wait for a client that reads nothing', async () => {
    await withPredictor(true);
    const { server, port, metrics } = running;
    const session = http2.connect(`http://127.0.0.1:${port}`);
    session.on('error', () => undefined);
    const path = '/hourglass.v1.InferenceService/Encode';
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.end(Buffer.from([0, 0, 0, 0, 12, 0x12, 10, 0x0a, 2, 1, 1, 0x12, 4, 0, 0, 0, 0]));
    await new Promise((resolve) => stream.on('response', resolve));
    expect(await metrics.render()).toMatch(/hourglass_connections\{transport="grpc".*\} 1/);
    await server.close(100);
    expect(await metrics.render()).toMatch(/hourglass_connections\{transport="grpc".*\} 0/);
  });
});

describe('health', () => {
  it('follows readiness', async () => {
    let ready = true;
    running = await startServer({ readiness: { isReady: async () => ready } });
    const { check, watch } = Health.method;
    expect(await running.client.call(check, {})).toMatchObject({ status: Status.SERVING });
    const watching = running.client.stream(watch, { service: 'hourglass.v1.InferenceService' });
    expect((await watching.next()).value).toMatchObject({ status: Status.SERVING });
    ready = false;
    expect(await running.client.call(check, { service: 'hourglass.v1.TrainingService' })).toMatchObject({
      status: Status.NOT_SERVING,
    });
    expect((await watching.next()).value).toMatchObject({ status: Status.NOT_SERVING });
    await watching.return(undefined);
  });

  it('knows its services', async () => {
    running = await startServer();
    const failure = await failureOf(running.client.call(Health.method.check, { service: 'x.Y' }));
    expect(failure).toMatchObject({ status: 'NOT_FOUND', code: 'service-not-found' });
    const watching = running.client.stream(Health.method.watch, { service: 'x.Y' });
    expect((await watching.next()).value).toMatchObject({ status: Status.SERVICE_UNKNOWN });
    await watching.return(undefined);
  });
});
