// A picture that is uploaded for training, sent to the server, or encoded on a device becomes the same row, as the model's manifest says.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { currentPreprocessing, firstPreprocessing, type Preprocessing } from '../../src/picture/preprocessing.ts';
import { rowOfPixels } from '../../src/sdk/picture.ts';
import { zip } from '../data/archives.ts';
import { importParts, noHoldOut } from '../data/importing.ts';
import { startGateway, type TestGateway } from '../gateway/http/harness.ts';
import { scaling } from '../helpers/onnx-models.ts';
import { metaOf } from '../serve/serving.ts';

const side = 12;
const inputShape = [side, side, 1];
const names = ['wide-97x41.png', 'dark-ink-64.png', 'rotated-60x40.jpg', 'primaries-28.png'];
const bytesOf = (name: string): Buffer => readFileSync(path.join(import.meta.dirname, 'golden', name));

async function onDevice(name: string, preprocessing: Preprocessing): Promise<Float32Array> {
  const { data, info } = await sharp(bytesOf(name))
    .autoOrient()
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const pixels = { width: info.width, height: info.height, data: new Uint8ClampedArray(data) };
  return rowOfPixels(pixels, { inputShape, inputRange: [0, 1], preprocessing });
}

const padded = { ...currentPreprocessing, fit: 'pad', transparency: '#808080' } as const;
const stated: Readonly<Record<string, Preprocessing | undefined>> = {
  cropped: currentPreprocessing,
  padded,
  // as versions of older releases
  unstated: undefined,
};

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
  for (const [name, preprocessing] of Object.entries(stated)) {
    await gateway.registry.publish(name, {
      files: { ...scaling(side * side, side * side, 1) },
      meta: metaOf(name, { inputShape, codeShape: [side * side], ...(preprocessing && { preprocessing }) }),
    });
  }
});
afterAll(() => gateway?.stop());

describe('a picture that is sent to a model', () => {
  it.each(Object.entries(stated))('becomes the row that a device makes: %s', async (model, preprocessing) => {
    for (const name of names) {
      const type = name.endsWith('.png') ? 'image/png' : 'image/jpeg';
      const answer = await gateway.rest.send('POST', `/v1/models/${model}/encode?resize=true`, bytesOf(name), {
        'content-type': type,
        accept: 'application/octet-stream',
      });
      expect(answer.status).toBe(200);
      const row = new Float32Array(new Uint8Array(answer.bytes).buffer);
      expect(row).toEqual(await onDevice(name, preprocessing ?? firstPreprocessing));
    }
  });

  it('is told apart in what the server says of the model', async () => {
    const { json } = await gateway.rest.send('GET', '/v1/models/padded');
    expect(json).toMatchObject({ versions: [{ preprocessing: padded }] });
  });
});

describe('a picture in an archive', () => {
  it('becomes the same row, and the data set says how', async () => {
    for (const fit of ['crop', 'pad', 'squeeze'] as const) {
      const files = zip(names.map((name) => ({ name, data: bytesOf(name) })));
      const options = { ...noHoldOut, resize: { height: side, width: side }, grayscale: true, fit };
      const { manifest, values } = await importParts(files, options);
      expect(manifest.preprocessing).toMatchObject({ name: 'picture', version: 2, fit });
      const { preprocessing = firstPreprocessing } = manifest;
      const rows = await Promise.all(names.map((name) => onDevice(name, preprocessing)));
      expect([...values.train]).toEqual(rows.flatMap((row) => [...row]));
    }
  });

  it('leaves tables without a preprocessing', async () => {
    expect((await importParts('1,2\n3,4\n', noHoldOut)).manifest.preprocessing).toBeUndefined();
  });
});
