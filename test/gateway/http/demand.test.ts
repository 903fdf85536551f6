// How long a client waits for a prediction: the time that it allows, and its going away.
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { timeoutOf } from '../../../src/gateway/http/demand.ts';
import { GatedPredictor } from '../grpc/harness.ts';
import { startGateway, type TestGateway } from './harness.ts';

describe('X-Request-Timeout', () => {
  it.each([
    [undefined, 30_000],
    ['2', 2000],
    ['0.5', 500],
    ['500ms', 500],
    ['2s', 2000],
    ['3600', 30_000],
  ])('%s allows %i ms', (given, ms) => {
    expect(timeoutOf(given, 30_000)).toBe(ms);
  });

  it.each(['', '0', '-1', 'soon', '1m', '1e3', 'NaN'])('%s is no time', (given) => {
    expect(() => timeoutOf(given, 30_000)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  });
});

describe('a prediction that takes long', () => {
  let gateway: TestGateway | undefined;
  afterEach(() => gateway?.stop());
  const body = { inputs: [[1, 2, 3, 4]] };

  it('is given up when the time that the client allows is over', async () => {
    const predictor = new GatedPredictor({ isOpen: false });
    gateway = await startGateway({ predictor });
    const answer = await gateway.rest.send('POST', '/encode', body, { 'x-request-timeout': '50ms' });
    expect(answer).toMatchObject({ status: 504, json: { code: 'deadline-exceeded' } });
    expect(predictor.asked[0]?.demand?.signal.aborted).toBe(true);
  });

  it('is logged as the client’s going away when it leaves, and not as a success', async () => {
    const predictor = new GatedPredictor({ isOpen: false });
    gateway = await startGateway({ predictor });
    const { log } = gateway;
    const socket = connect(gateway.port, '127.0.0.1');
    const text = JSON.stringify(body);
    socket.write(
      `POST /encode HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
    );
    await expect.poll(() => predictor.asked.length).toBe(1);
    socket.destroy();
    await expect
      .poll(() => log.find(({ msg }) => msg === 'answered'))
      .toMatchObject({ code: 'cancelled', status: 499 });
    expect(predictor.asked[0]?.demand?.isOver()?.code).toBe('cancelled');
  });
});
