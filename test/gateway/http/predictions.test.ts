// Answers of real models in every form that rows may have, the forms that a client asks for, and what answers say of themselves.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage, encodePng } from '../../../src/data/image.ts';
import { startGateway, type TestGateway } from './harness.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

const octets = 'application/octet-stream';
const digit = Float32Array.from({ length: 784 }, (_, i) => ((i * 37) % 256) / 255);
const code = digit.slice(0, 32);
/** `decode` of `digits` gives the code back and fills up with zeros. */
const restored = Float32Array.from(digit, (value, i) => (i < 32 ? value : 0));
const nested = Array.from({ length: 28 }, (_, r) => [...digit.subarray(r * 28, r * 28 + 28)]);
const floats = (bytes: Buffer) =>
  new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
const post = (target: string, body: unknown, headers?: Record<string, string>) =>
  gateway.rest.send('POST', target, body, headers);

describe('JSON', () => {
  it.each([
    ['flat', [...digit]],
    ['nested', nested],
    ['with a channel', nested.map((row) => row.map((value) => [value]))],
  ])('rows that are %s', async (_, row) => {
    const answer = await post('/v1/models/digits@1/encode', { inputs: [row, row] });
    expect(answer).toMatchObject({ status: 200, json: { model: 'digits', version: 1 } });
    const { codes } = answer.json as { codes: number[][] };
    expect(codes.map((each) => Float32Array.from(each))).toEqual([code, code]);
  });

  it('decodes to flat rows', async () => {
    const answer = await post('/decode', { model: 'digits@1', codes: [[...code]] });
    const { outputs } = answer.json as { outputs: number[][] };
    expect(Float32Array.from(outputs[0] as number[])).toEqual(restored);
    expect(answer.headers.get('x-hourglass-shape')).toBe('1,784');
  });

  it('answers rows in the form in which they came', async () => {
    const picture = Array.from({ length: 28 }, (_, y) => [...digit.subarray(28 * y, 28 * (y + 1))]);
    const answer = await post('/reconstruct', { model: 'digits@1', inputs: [picture] });
    const { outputs } = answer.json as { outputs: number[][][] };
    expect(outputs[0]).toHaveLength(28);
    expect(Float32Array.from(outputs[0]?.flat() as number[])).toEqual(restored);
  });

  it.each(['denoise', 'reconstruct'])('%s goes through the code', async (operation) => {
    const answer = await post(`/${operation}?model=digits@1`, { inputs: [[...digit]] });
    expect(Float32Array.from((answer.json as { outputs: unknown[] }).outputs.flat(4) as number[])).toEqual(restored);
  });

  it('needs no content type when it is JSON', async () => {
    const body = Buffer.from(`\n {"inputs":[[1,0.5,0,1]]}`);
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/encode?model=tiny`, { method: 'POST', body });
    expect(await answer.json()).toEqual({ model: 'tiny', version: 1, codes: [[1, 0.5]] });
  });

  it('writes large answers in pieces, with the same numbers', async () => {
    const rows = Array.from({ length: 500 }, (_, i) => [i / 500, 1 / (i + 1), i, -i]);
    const answer = await post('/reconstruct?model=tiny', { inputs: rows });
    const small = await post('/reconstruct?model=tiny', new Uint8Array(Float32Array.from(rows.flat()).buffer), {
      'content-type': octets,
      accept: octets,
    });
    expect(Float32Array.from((answer.json as { outputs: unknown[] }).outputs.flat(4) as number[])).toEqual(
      floats(small.bytes),
    );
  });
});

describe('which model', () => {
  it('is the newest, the version or what the alias points to', async () => {
    await gateway.registry.setAlias('digits', 'stable', 1);
    const versions: unknown[] = [];
    for (const ref of ['digits', 'digits@2', 'digits:stable', 'digits%401', 'digits%3Astable']) {
      const answer = await post(`/v1/models/${ref}/encode`, { inputs: [[...digit]] });
      versions.push((answer.json as { version: number }).version);
      expect(answer.headers.get('x-hourglass-model')).toBe(`digits@${versions.at(-1)}`);
    }
    expect(versions).toEqual([2, 2, 1, 1, 1]);
    await gateway.registry.deleteAlias('digits', 'stable');
  });

  it('may be said twice when it is the same', async () => {
    const answer = await post('/encode?model=tiny', { model: 'tiny', inputs: [[1, 2, 3, 4]] });
    expect(answer.status).toBe(200);
    expect(await post('/encode?model=tiny', { model: 'digits', inputs: [[1, 2, 3, 4]] })).toMatchObject({
      status: 400,
      json: { code: 'invalid-request', field: '/model' },
    });
  });

  it('must be said when there are several', async () => {
    expect(await post('/encode', { inputs: [[1, 2, 3, 4]] })).toMatchObject({
      status: 400,
      json: { code: 'model-required' },
    });
  });
});

describe('bytes', () => {
  it('are little-endian float32 rows, in and out', async () => {
    const body = new Uint8Array(Float32Array.from([...digit, ...digit]).buffer);
    const answer = await post('/v1/models/digits@1/denoise', body, { 'content-type': octets, accept: octets });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe(octets);
    expect(answer.headers.get('x-hourglass-model')).toBe('digits@1');
    expect(answer.headers.get('x-hourglass-shape')).toBe('2,28,28,1');
    expect(floats(answer.bytes)).toEqual(Float32Array.from([...restored, ...restored]));
  });

  it('are answered with JSON unless asked otherwise', async () => {
    const body = new Uint8Array(code.slice().buffer);
    const answer = await post('/decode?model=digits@1', body, { 'content-type': octets });
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    const asked = await post(
      '/decode?model=digits@1',
      { codes: [[...code]] },
      { accept: `${octets};q=0.9, text/*;q=0.1` },
    );
    expect(floats(asked.bytes)).toEqual(restored);
  });
});

describe('pictures', () => {
  const pixels = Uint8Array.from({ length: 784 }, (_, i) => i % 256);
  const shape = { height: 28, width: 28, channels: 1 };

  it('come and go as PNG', async () => {
    const body = await encodePng(pixels, shape);
    const answer = await post('/reconstruct?model=digits@1', body, {
      'content-type': 'image/png',
      accept: 'image/png',
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('image/png');
    const back = await decodeImage(answer.bytes, { shape, maxPixels: 10_000 });
    expect([...back]).toEqual([...pixels].map((value, i) => (i < 32 ? value : 0)));
  });

  it('are fitted only when asked', async () => {
    const large = await encodePng(new Uint8Array(56 * 56).fill(255), { height: 56, width: 56, channels: 1 });
    expect(await post('/encode?model=digits@1', large, { 'content-type': 'image/png' })).toMatchObject({
      status: 422,
      json: { code: 'shape-mismatch', expected: [28, 28], found: [56, 56] },
    });
    const fitted = await post('/encode?model=digits@1&resize=true', large, { 'content-type': 'image/png' });
    expect(fitted.json).toMatchObject({ codes: [Array(32).fill(1)] });
  });

  it('hold one row', async () => {
    const codes = [[...code], [...code]];
    expect(await post('/decode?model=digits@1', { codes }, { accept: 'image/png' })).toMatchObject({
      status: 406,
      json: { code: 'not-acceptable', found: { rows: 2 } },
    });
  });
});

it('is counted by what it was', async () => {
  const text = await gateway.metrics.render();
  expect(text).toMatch(
    /hourglass_requests_total\{transport="rest",route="\/v1\/models\/:model\/encode",code="ok",.*\} 8/,
  );
  expect(text).toMatch(/hourglass_requests_total\{transport="rest",route="\/encode",code="model-required",.*\} 1/);
  expect(text).toMatch(/hourglass_predicted_rows_total\{operation="denoise",.*\} 3/);
  for (const stage of ['read', 'wait', 'run', 'write']) {
    expect(text).toMatch(new RegExp(`hourglass_stage_duration_seconds_count\\{[^}]*stage="${stage}"[^}]*\\} [1-9]`));
  }
  expect(text).toMatch(/hourglass_requests_in_flight\{transport="rest",.*\} 0/);
});
