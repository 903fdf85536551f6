// More than the gateway can do: too many predictions at once, readers that do not read, and what probes see meanwhile.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayChanges, startGateway, type TestGateway } from './harness.ts';

async function start(changes: GatewayChanges = {}): Promise<TestGateway> {
  const gateway = await startGateway(changes);
  onTestFinished(() => gateway.stop());
  return gateway;
}

describe('predictions', () => {
  it('are refused when too many wait, with the time to come back; probes are not', async () => {
    const gateway = await start({ config: { maxWaiting: 2, batchRows: 1 } });
    const inputs = Array.from({ length: 20 }, () => Array(784).fill(0.5));
    const calls = Array.from({ length: 60 }, () => gateway.rest.send('POST', '/encode?model=digits', { inputs }));
    const probes = [await gateway.rest.send('GET', '/livez'), await gateway.rest.send('GET', '/readyz')];
    const answers = await Promise.all(calls);
    const refused = answers.filter(({ status }) => status !== 200);
    expect(probes.map(({ status }) => status)).toEqual([200, 200]);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(60);
    for (const { status, headers, json } of refused) {
      expect({ status, json }).toMatchObject({ status: 429, json: { code: 'overloaded' } });
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    }
    expect((await gateway.rest.send('POST', '/encode?model=digits', { inputs })).status).toBe(200);
  });
});

describe('answers', () => {
  it('that nobody reads are given up, and do not lie in memory as a whole', async () => {
    const gateway = await start({ config: { idleTimeoutMs: 600, headersTimeoutMs: 500 } });
    const rows = 400;
    const body = JSON.stringify({ codes: Array.from({ length: rows }, () => Array(32).fill(0.123456)) });
    const socket = connect({ port: gateway.port, host: '127.0.0.1', readableHighWaterMark: 1 } as never);
    socket.pause();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    const head = `POST /decode?model=digits HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    for (let i = 0; i < 40; i++) socket.write(head + body);
    await expect.poll(() => gateway.log.some((line) => line.code === 'cancelled'), { timeout: 20_000 }).toBe(true);
    socket.resume();
    socket.destroy();
    await closed;
    await expect.poll(() => gateway.metrics.render()).toMatch(/hourglass_requests_in_flight\{transport="rest",.*\} 0/);
    await expect.poll(() => gateway.metrics.render()).toMatch(/hourglass_request_body_memory_bytes\{.*\} 0/);
    expect((await gateway.rest.send('GET', '/livez')).status).toBe(200);
  });
});

describe('readiness', () => {
  it('needs the default model, once there is one by configuration', async () => {
    const gateway = await start({ config: { defaultModel: 'later' } });
    expect(await gateway.rest.send('GET', '/readyz')).toMatchObject({
      status: 503,
      json: { ready: false, parts: { models: { ready: false }, queue: { ready: true } } },
    });
  });

  it('is looked at once for many probes', async () => {
    const gateway = await start();
    let pings = 0;
    const { ping } = gateway.queue;
    gateway.queue.ping = async () => {
      pings++;
      await sleep(20);
      return ping.call(gateway.queue);
    };
    const answers = await Promise.all(Array.from({ length: 50 }, () => gateway.rest.send('GET', '/readyz')));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(pings).toBeLessThan(10);
  });
});
