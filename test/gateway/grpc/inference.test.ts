// Rows in every form they may have on the wire, and each wrong form by its own error. The predictor answers what it is
// asked, so that only the gateway's part is under test.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage, encodePng } from '../../../src/data/image.ts';
import { InferenceService, OutputFormat } from '../../../src/gen/hourglass/v1/inference_pb.ts';
import { failureOf } from './client.ts';
import { GatedPredictor, startServer, type TestServer } from './harness.ts';

const { encode, decode, denoise } = InferenceService.method;
const predictor = new GatedPredictor({ isOpen: true });
let running: TestServer;
beforeAll(async () => {
  running = await startServer({ predictor });
});
afterAll(() => running.stop());

const rawOf = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const inputs = (value: { shape?: number[]; values?: number[]; raw?: Uint8Array }) => ({
  content: { case: 'inputs' as const, value },
});
const pictures = (files: Uint8Array[], resize = false) => ({
  content: { case: 'images' as const, value: { files, resize } },
});
const picture = { height: 2, width: 2, channels: 1 };

describe('rows', () => {
  it('come as values and go as values', async () => {
    const answer = await running.client.call(encode, {
      model: 'echo',
      ...inputs({ shape: [2, 2], values: [1, 2, 3, 4] }),
    });
    expect(answer).toMatchObject({ model: 'echo', version: 1, codes: { shape: [2, 2], values: [1, 2, 3, 4] } });
    expect(predictor.asked.at(-1)).toMatchObject({ operation: 'encode', model: 'echo' });
  });

  it('come as bytes and go as bytes', async () => {
    const raw = rawOf(0.1, -3.5, 1e-38, 3e38);
    const answer = await running.client.call(denoise, inputs({ shape: [2, 2], raw }));
    expect(answer.content).toMatchObject({ case: 'outputs', value: { shape: [2, 2], values: [] } });
    expect(answer.content.case === 'outputs' && answer.content.value.raw).toEqual(Buffer.from(raw));
    expect(predictor.asked.at(-1)?.model).toBeUndefined();
  });

  it('come as bytes without a shape, which is then the model’s', async () => {
    const answer = await running.client.call(denoise, inputs({ raw: rawOf(1, 2, 3, 4, 5, 6, 7, 8) }));
    expect(answer.content).toMatchObject({ value: { shape: [2, 2, 2, 1] } });
    expect(predictor.asked.at(-1)?.model).toBe('echo@1');
  });

  it('go as asked', async () => {
    const asked = { ...inputs({ shape: [1, 2], raw: rawOf(1, 2) }), outputFormat: OutputFormat.VALUES };
    expect((await running.client.call(encode, asked)).codes).toMatchObject({ values: [1, 2] });
    const codes = { shape: [1, 2], values: [1, 2] };
    const answer = await running.client.call(decode, { codes, outputFormat: OutputFormat.RAW });
    expect(answer.content).toMatchObject({ case: 'outputs', value: { values: [], raw: Buffer.from(rawOf(1, 2)) } });
  });

  it('come and go as pictures', async () => {
    const png = await encodePng(Uint8Array.of(0, 51, 102, 255), picture);
    const answer = await running.client.call(denoise, { ...pictures([png, png]), outputFormat: OutputFormat.PNG });
    const { inputs: rows } = predictor.asked.at(-1) ?? {};
    expect(rows?.shape).toEqual([2, 2, 2, 1]);
    expect([...(rows?.data ?? [])].map((value) => Math.round(value * 255))).toEqual([0, 51, 102, 255, 0, 51, 102, 255]);
    if (answer.content.case !== 'images') throw new Error('no pictures');
    expect(answer.content.value.files).toHaveLength(2);
    const back = await decodeImage(answer.content.value.files[1] ?? new Uint8Array(), {
      shape: picture,
      maxPixels: 100,
    });
    expect([...back]).toEqual([0, 51, 102, 255]);
  });
});

describe('rows that cannot be', () => {
  it.each([
    ['none at all', { content: { case: undefined } }, 'invalid-request', 'no "inputs"'],
    ['no shape', inputs({ values: [1, 2] }), 'shape-mismatch', 'no shape'],
    ['no rows', inputs({ shape: [0, 2] }), 'empty-batch', 'no rows'],
    [
      'more dimensions than there can be',
      inputs({ shape: Array(100_000).fill(1) }),
      'shape-mismatch',
      '100000 dimensions',
    ],
    ['no pictures', pictures([]), 'empty-batch', 'no rows'],
    ['too many rows', inputs({ shape: [1025, 1], values: Array(1025).fill(0) }), 'batch-too-large', 'more than 1024'],
    ['nothing in them', inputs({}), 'empty-batch', 'empty'],
    [
      'fewer values than claimed',
      inputs({ shape: [2, 2], values: [1, 2, 3] }),
      'shape-mismatch',
      'needs 4 values, but has 3',
    ],
    [
      'more bytes than claimed',
      inputs({ shape: [1, 1], raw: rawOf(1, 2) }),
      'shape-mismatch',
      'needs 1 values, but has 2',
    ],
    ['half a value', inputs({ shape: [1, 1], raw: new Uint8Array(5) }), 'shape-mismatch', '5 raw bytes'],
    ['half a row', inputs({ raw: rawOf(1, 2, 3) }), 'shape-mismatch', 'not whole rows'],
    ['values and bytes', inputs({ shape: [1, 1], values: [1], raw: rawOf(1) }), 'invalid-request', 'both'],
    [
      'a product beyond all numbers',
      inputs({ shape: [1, ...Array(7).fill(2 ** 32 - 1)], values: [1] }),
      'shape-mismatch',
      'needs',
    ],
    ['too many pictures', pictures(Array(1025).fill(new Uint8Array(1))), 'batch-too-large', 'more than 1024'],
    ['no picture at all', pictures([Buffer.from('<svg/>')]), 'image-unreadable', 'PNG, JPEG or WebP'],
  ])('%s', async (_, request, code, text) => {
    const before = predictor.asked.length;
    const failure = await failureOf(running.client.call(denoise, request));
    expect(failure).toMatchObject({ status: 'INVALID_ARGUMENT', code });
    expect(failure.text).toContain(text);
    expect(predictor.asked).toHaveLength(before);
  });

  it('pictures of another size, unless resizing is asked for', async () => {
    const png = await encodePng(new Uint8Array(12).fill(255), { height: 3, width: 4, channels: 1 });
    const failure = await failureOf(running.client.call(denoise, pictures([png])));
    expect(failure).toMatchObject({ status: 'INVALID_ARGUMENT', code: 'shape-mismatch' });
    await running.client.call(denoise, pictures([png], true));
    expect([...(predictor.asked.at(-1)?.inputs.data ?? [])]).toEqual([1, 1, 1, 1]);
  });

  it('pictures of more pixels than allowed', async () => {
    const png = await encodePng(new Uint8Array(1025 * 1024), { height: 1025, width: 1024, channels: 1 });
    const failure = await failureOf(running.client.call(denoise, pictures([png], true)));
    expect(failure).toMatchObject({ status: 'INVALID_ARGUMENT', code: 'image-too-large' });
  });

  it('codes as pictures, or in a format that there is not', async () => {
    const request = inputs({ shape: [1, 1], values: [1] });
    const png = { ...request, outputFormat: OutputFormat.PNG };
    expect(await failureOf(running.client.call(encode, png))).toMatchObject({ code: 'not-acceptable' });
    const unknown = { ...request, outputFormat: 9 as OutputFormat };
    expect(await failureOf(running.client.call(encode, unknown))).toMatchObject({ code: 'invalid-request' });
  });
});
