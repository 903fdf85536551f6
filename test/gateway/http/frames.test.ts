// Frames over REST on a real model: out and back, the dial, frames that find their decoder, and those that must not.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FrameReceipt } from '../../../src/gateway/http/frame-answer.ts';
import { publishCoded, rowSize, testRows } from '../../bundle/published.ts';
import { startGateway, type TestGateway } from './harness.ts';

type Receipt = import('typebox').Static<typeof FrameReceipt>;

const frameType = 'application/vnd.hourglass.frame';
let gateway: TestGateway;
let rows: Float32Array;

beforeAll(async () => {
  gateway = await startGateway();
  await publishCoded(gateway.registry, 'small', 8);
  await publishCoded(gateway.registry, 'large', 16);
  await publishCoded(gateway.registry, 'bare', 8, false);
  rows = await testRows();
});
afterAll(() => gateway?.stop());

const octets = { 'content-type': 'application/octet-stream' };
const bytesOf = (count: number): Buffer => Buffer.from(rows.slice(0, count * rowSize).buffer);
const encode = (target: string, count = 1) =>
  gateway.rest.send('POST', target, bytesOf(count), { ...octets, accept: frameType });
const decode = (target: string, frame: Uint8Array, accept = 'application/json') =>
  gateway.rest.send('POST', target, frame, { 'content-type': frameType, accept });
const receiptOf = (headers: Headers): Receipt => JSON.parse(headers.get('x-hourglass-receipt') ?? '');

describe('frames over REST', () => {
  it('find their decoder without a name, and decode to what the quantised code decodes to', async () => {
    const encoded = await encode('/v1/models/large/encode', 5);
    expect(encoded.status).toBe(200);
    expect(encoded.headers.get('content-type')).toBe(frameType);
    const receipt = receiptOf(encoded.headers);
    expect(receipt).toMatchObject({ model: 'large', version: 1, kind: 'batch', rows: 5, rawBytes: 5 * rowSize });
    expect(receipt.wireBytes).toBe(encoded.bytes.length);
    expect(receipt.quality).toBe(receipt.qualities - 1);
    const decoded = await decode('/decode', encoded.bytes);
    expect(decoded.json).toMatchObject({ model: 'large', version: 1 });
    const direct = await gateway.rest.send('POST', '/v1/models/large/reconstruct', bytesOf(5), octets);
    const flat = (json: unknown): number[] => (json as { outputs: number[][] }).outputs.flat();
    const [got, wanted] = [flat(decoded.json), flat(direct.json)];
    expect(got.length).toBe(5 * rowSize);
    const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
      got.reduce((sum, _, i) => sum + ((a[i] as number) - (b[i] as number)) ** 2, 0);
    // the finest quality adds little to the model's own error, but cannot add nothing
    expect(distance(got, wanted)).toBeGreaterThan(0);
    expect(distance(got, wanted)).toBeLessThan(0.1 * distance(wanted, rows));
    const raw = await decode('/v1/models/large@1/decode', encoded.bytes, 'application/octet-stream');
    expect([...new Float32Array(raw.bytes.buffer.slice(raw.bytes.byteOffset))].map(Math.fround)).toEqual(
      got.map(Math.fround),
    );
  });

  it('come in every kind, and with the receipt as JSON', async () => {
    for (const kind of ['compact', 'batch', 'standard', 'progressive']) {
      const answer = await encode(`/encode?model=small&kind=${kind}&receipt=json`);
      const { frame, receipt } = answer.json as { frame: string; receipt: Receipt };
      expect(receipt.kind).toBe(kind);
      const decoded = await decode('/decode', Buffer.from(frame, 'base64'));
      expect(decoded.json).toMatchObject({ model: 'small' });
    }
    expect((await encode('/encode?model=small&kind=compact', 2)).json).toMatchObject({ code: 'invalid-request' });
  });

  it('obey the dial, never longer for a coarser quality, and say when the model cannot do what is asked', async () => {
    const sizes: number[] = [];
    const { qualities } = receiptOf((await encode('/encode?model=large', 20)).headers);
    expect(qualities).toBeGreaterThan(4);
    for (let quality = 0; quality < qualities; quality++) {
      const { headers } = await encode(`/encode?model=large&quality=${quality}`, 20);
      expect(receiptOf(headers)).toMatchObject({ quality });
      sizes.push(receiptOf(headers).wireBytes);
    }
    expect(sizes.toSorted((a, b) => a - b)).toEqual(sizes);
    const middle = sizes[Math.floor(qualities / 2)] as number;
    const fitted = receiptOf((await encode(`/encode?model=large&maxBytes=${middle}`, 20)).headers);
    expect(fitted.wireBytes).toBeLessThanOrEqual(middle);
    expect(fitted.quality).toBeGreaterThanOrEqual(Math.floor(qualities / 2));
    expect((await encode('/encode?model=large&maxBytes=7', 20)).json).toMatchObject({
      code: 'invalid-request',
      expected: { atLeast: sizes[0] },
    });
    expect(fitted.shortfall).toBeUndefined();
    const beyond = receiptOf((await encode('/encode?model=large&psnr=60')).headers);
    expect(beyond).toMatchObject({ quality: qualities - 1, shortfall: expect.stringContaining('not 60 dB') });
    expect(beyond.alternatives).toEqual([]);
    expect((await encode('/encode?model=large&psnr=20&quality=1')).json).toMatchObject({ code: 'invalid-request' });
    expect((await gateway.rest.send('POST', '/encode?model=large&quality=1', bytesOf(1), octets)).json).toMatchObject({
      code: 'invalid-request',
    });
  });

  it('name the model that reaches what was asked, where another one does not', async () => {
    const best = receiptOf((await encode('/encode?model=large')).headers);
    const { alternatives } = receiptOf((await encode(`/encode?model=small&psnr=${best.estimatedPsnr - 0.1}`)).headers);
    const [offer] = alternatives ?? [];
    expect(alternatives).toHaveLength(1);
    expect(offer).toMatchObject({ type: 'frame', model: `large@${best.version}` });
    const taken = receiptOf((await encode(`/encode?model=${offer?.model}&quality=${offer?.quality}`)).headers);
    expect(taken.estimatedPsnr).toBeGreaterThanOrEqual(best.estimatedPsnr - 0.11);
    expect(Math.abs((offer?.bytes ?? 0) - taken.wireBytes)).toBeLessThan(0.5 * taken.wireBytes);
  });

  it('are refused by another model, when damaged, and when nobody here made them', async () => {
    const { bytes } = await encode('/v1/models/small/encode');
    expect((await decode('/v1/models/large/decode', bytes)).json).toMatchObject({ code: 'model-mismatch' });
    expect((await decode('/v1/models/bare/decode', bytes)).json).toMatchObject({ code: 'operation-not-supported' });
    expect((await encode('/v1/models/bare/encode')).json).toMatchObject({ code: 'operation-not-supported' });
    const damaged = Buffer.from(bytes);
    damaged[damaged.length - 1] = (damaged.at(-1) as number) ^ 0x40;
    expect((await decode('/decode', damaged)).json).toMatchObject({ code: 'frame-checksum' });
    const foreign = Buffer.from(bytes);
    foreign[1] = (foreign[1] as number) ^ 0xff;
    expect((await decode('/decode', foreign)).json).toMatchObject({ code: 'decoder-unknown', status: 404 });
    expect((await decode('/decode', Buffer.from([0xf0, 1, 2, 3]))).json).toMatchObject({
      code: 'unsupported-frame-version',
    });
    expect((await decode('/decode', bytes.subarray(0, 3))).json).toMatchObject({ code: 'invalid-frame' });
  });

  it('find a version published after the first frame was decoded, and none once it is deleted', async () => {
    await publishCoded(gateway.registry, 'late', 12);
    const { bytes } = await encode('/v1/models/late/encode');
    expect((await decode('/decode', bytes)).json).toMatchObject({ model: 'late', version: 1 });
    await gateway.registry.deleteModel('late', { force: true });
    expect((await decode('/decode', bytes)).json).toMatchObject({ code: 'decoder-unknown' });
  });

  it('carry a better picture when symbols are searched through the decoder', async () => {
    const error = async (query: string): Promise<number> => {
      const { bytes } = await encode(`/encode?model=small&quality=0${query}`, 4);
      const { outputs } = (await decode('/decode', bytes)).json as { outputs: number[][] };
      return outputs.flat().reduce((sum, value, i) => sum + (value - (rows[i] as number)) ** 2, 0);
    };
    expect(await error('&search=true')).toBeLessThanOrEqual(await error(''));
  });
});
