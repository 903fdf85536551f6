// The REST API of TensorFlow Serving: rows and columns, versions and labels, signatures, pictures in base64.
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../http/harness.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
  await gateway.registry.setAlias('tiny', 'stable', 1);
});
afterAll(() => gateway.stop());

const post = (target: string, body: object) => gateway.rest.send('POST', `/v1/models/${target}`, body);

describe(':predict', () => {
  it.each([
    [
      'rows',
      'tiny:predict',
      {
        instances: [
          [1, 2, 3, 4],
          [5, 6, 7, 8],
        ],
      },
      {
        predictions: [
          [1, 2],
          [5, 6],
        ],
      },
    ],
    ['rows by name', 'tiny:predict', { instances: [{ inputs: [1, 2, 3, 4] }] }, { predictions: [[1, 2]] }],
    ['columns', 'tiny:predict', { inputs: [[1, 2, 3, 4]] }, { outputs: [[1, 2]] }],
    ['columns by name', 'tiny:predict', { inputs: { inputs: [[1, 2, 3, 4]] } }, { outputs: [[1, 2]] }],
    [
      'the default signature',
      'tiny:predict',
      { signature_name: 'serving_default', instances: [[1, 2, 3, 4]] },
      { predictions: [[1, 2]] },
    ],
    [
      'another signature',
      'tiny:predict',
      { signature_name: 'decode', instances: [[1, 2]] },
      { predictions: [[1, 2, 0, 0]] },
    ],
    [
      'an operation in the name',
      'tiny.reconstruct:predict',
      { instances: [[1, 2, 3, 4]] },
      { predictions: [[1, 2, 0, 0]] },
    ],
    ['a version', 'tiny/versions/1:predict', { instances: [[1, 2, 3, 4]] }, { predictions: [[1, 2]] }],
    ['a label', 'tiny/labels/stable:predict', { instances: [[1, 2, 3, 4]] }, { predictions: [[1, 2]] }],
  ])('%s', async (_what, target, body, wanted) => {
    const answer = await post(target, body);
    expect({ status: answer.status, json: answer.json }).toEqual({ status: 200, json: wanted });
  });

  it('pictures in base64', async () => {
    const pixels = Buffer.from([255, 0, 0, 255]);
    const png = await sharp(pixels, { raw: { width: 2, height: 2, channels: 1 } })
      .png()
      .toBuffer();
    const picture = { b64: png.toString('base64') };
    for (const instances of [[picture], [{ inputs: picture }]]) {
      expect((await post('tiny:predict', { instances })).json).toEqual({ predictions: [[1, 0]] });
    }
  });

  it.each([
    ['no verb', 'tiny', { instances: [[1, 2, 3, 4]] }, 404, 'route-not-found'],
    ['another verb', 'tiny:classify', { instances: [[1, 2, 3, 4]] }, 404, 'route-not-found'],
    ['a model that is not there', 'nobody:predict', { instances: [[1]] }, 404, 'model-not-found'],
    ['a version that is not there', 'tiny/versions/9:predict', { instances: [[1, 2, 3, 4]] }, 404, 'version-not-found'],
    ['neither rows nor columns', 'tiny:predict', {}, 400, 'invalid-request'],
    ['both', 'tiny:predict', { instances: [[1]], inputs: [[1]] }, 400, 'invalid-request'],
    ['rows of another length', 'tiny:predict', { instances: [[1, 2]] }, 422, 'shape-mismatch'],
    [
      'rows that are not alike',
      'tiny:predict',
      { instances: [{ inputs: [1, 2, 3, 4] }, { inputs: [1] }] },
      422,
      'shape-mismatch',
    ],
    ['text', 'tiny:predict', { instances: ['a'] }, 422, 'invalid-type'],
    ['an input of another name', 'tiny:predict', { instances: [{ x: [1, 2, 3, 4] }] }, 400, 'invalid-request'],
    [
      'a signature that is not there',
      'tiny:predict',
      { signature_name: 'x', instances: [[1, 2, 3, 4]] },
      400,
      'invalid-request',
    ],
    ['no rows', 'tiny:predict', { instances: [] }, 422, 'empty-batch'],
  ])('refuses %s, with the member that its clients look for', async (_what, target, body, status, code) => {
    const answer = await post(target, body);
    expect(answer).toMatchObject({ status, json: { code, error: expect.any(String) } });
  });
});

it('metadata tell the signature', async () => {
  const { json } = await gateway.rest.send('GET', '/v1/models/digits/metadata');
  expect(json).toMatchObject({
    model_spec: { name: 'digits', version: '2' },
    metadata: {
      signature_def: {
        signature_def: {
          serving_default: {
            inputs: {
              inputs: {
                dtype: 'DT_FLOAT',
                tensor_shape: { dim: [{ size: '-1' }, { size: '28' }, { size: '28' }, { size: '1' }] },
              },
            },
          },
        },
      },
    },
  });
});

it('its verb is no alias', async () => {
  const answer = await gateway.rest.send('PUT', '/v1/models/tiny/aliases/predict', { version: 1 });
  expect(answer).toMatchObject({ status: 400, json: { code: 'invalid-reference' } });
});
