// What only some models answer, over both transports: classes of rows, new rows, and how unusual rows are.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ClassifyResponse, InferenceService, OutputFormat } from '../../src/gen/hourglass/v1/inference_pb.ts';
import { CallFailed } from '../gateway/grpc/client.ts';
import { type Both, startBoth } from './both.ts';
import { publishModels } from './published-models.ts';

const { encode, classify, generate, recommend, analyse, series, translate } = InferenceService.method;
let both: Both;
beforeAll(async () => {
  both = await startBoth({ maxBatch: 1000 });
  await publishModels(both.registry);
});
afterAll(() => both.stop());

const rows = [
  [0, 3, 1, 0],
  [2, 0, 0, 48],
];
const inputs = { case: 'inputs' as const, value: { shape: [2, 4], values: rows.flat() } };
const rest = async (to: string, body: unknown) => (await both.rest.send('POST', to, body)).json;
const refusal = (call: Promise<unknown>) =>
  call.then(
    () => 'answered',
    (error) => (error instanceof CallFailed ? error.failure.code : error),
  );

describe('classify', () => {
  const softmax = (row: number[]) => {
    const powers = row.slice(0, 3).map(Math.exp);
    return powers.map((power) => power / powers.reduce((a, b) => a + b));
  };

  it('gives probabilities, the most probable class, and the names of all', async () => {
    const answer = (await rest('/v1/models/full/classify', { inputs: rows })) as Record<string, unknown>;
    expect(answer).toMatchObject({ model: 'full', version: 1, labels: [1, 0], classes: ['cat', 'dog', 'owl'] });
    for (const [i, row] of (answer.probabilities as number[][]).entries()) {
      const wanted = softmax(rows[i] as number[]);
      for (const [j, p] of row.entries()) expect(p).toBeCloseTo(wanted[j] as number, 6);
    }
    const same: ClassifyResponse = await both.grpc.call(classify, { model: 'full', content: inputs });
    const { model, version, labels, classes, probabilities } = same;
    expect({ model, version, labels, classes }).toEqual({ model: 'full', version: 1, labels: [1, 0], classes });
    expect(probabilities).toMatchObject({
      shape: [2, 3],
      values: (answer.probabilities as number[][]).flat().map(Math.fround),
    });
    expect(await rest('/classify', { model: 'full', inputs: rows })).toEqual(answer);
  });

  it('is refused by a model without a classifier, and never a picture', async () => {
    expect(await rest('/v1/models/plain/classify', { inputs: rows })).toMatchObject({
      status: 409,
      code: 'operation-not-supported',
    });
    expect(await refusal(both.grpc.call(classify, { model: 'plain', content: inputs }))).toBe(
      'operation-not-supported',
    );
    const png = { accept: 'image/png' };
    expect((await both.rest.send('POST', '/v1/models/full/classify', { inputs: rows }, png)).status).toBe(406);
    const picture = { model: 'full', content: inputs, outputFormat: OutputFormat.PNG };
    expect(await refusal(both.grpc.call(classify, picture))).toBe('not-acceptable');
  });
});

describe('generate', () => {
  const made = async (body: object) =>
    (await rest('/v1/models/full/generate', body)) as { outputs: number[][]; seed: number };

  it('gives the same rows for the same seed, and others for another', async () => {
    const first = await made({ count: 500, seed: 7 });
    expect(first).toMatchObject({ model: 'full', version: 1, seed: 7 });
    expect(first.outputs).toHaveLength(500);
    expect((await made({ count: 500, seed: 7 })).outputs).toEqual(first.outputs);
    expect((await made({ count: 500, seed: 8 })).outputs).not.toEqual(first.outputs);
    const same = await both.grpc.call(generate, { model: 'full', count: 500, seed: 7 });
    expect(same).toMatchObject({ model: 'full', version: 1, seed: 7 });
    expect(same.content.case === 'outputs' && same.content.value.values).toEqual(first.outputs.flat().map(Math.fround));
    // the decoder is the identity on the code, of which there are two values, each from N(0, 1)
    const drawn = first.outputs.flatMap((row) => row.slice(0, 2));
    const mean = drawn.reduce((a, b) => a + b) / drawn.length;
    const variance = drawn.reduce((sum, z) => sum + (z - mean) ** 2, 0) / drawn.length;
    expect(Math.abs(mean)).toBeLessThan(0.15);
    expect(Math.abs(variance - 1)).toBeLessThan(0.2);
  });

  it('makes one row with a seed of its own when not asked for more', async () => {
    const [one, other] = [await made({}), await made({})];
    expect(one.outputs).toHaveLength(1);
    expect(one.seed).not.toBe(other.seed);
    expect((await made({ seed: one.seed })).outputs).toEqual(one.outputs);
    const { content, seed } = await both.grpc.call(generate, { model: 'full' });
    expect(content.case === 'outputs' && content.value.shape).toEqual([1, 4]);
    expect((await made({ seed })).outputs.flat().map(Math.fround)).toEqual(
      content.case === 'outputs' && content.value.values,
    );
  });

  it('gives a picture where one is wanted', async () => {
    const answer = await both.rest.send('POST', '/v1/models/full/generate', { seed: 3 }, { accept: 'image/png' });
    expect(answer.bytes.subarray(1, 4).toString()).toBe('PNG');
    const format = { outputFormat: OutputFormat.PNG };
    const { content } = await both.grpc.call(generate, { model: 'full', seed: 3, ...format });
    expect(content.case === 'images' && Buffer.from(content.value.files[0] ?? [])).toEqual(answer.bytes);
  });

  it('is refused by a model without a prior, and in too large a number', async () => {
    expect(await rest('/v1/models/plain/generate', {})).toMatchObject({ status: 409, code: 'operation-not-supported' });
    expect(await refusal(both.grpc.call(generate, { model: 'plain' }))).toBe('operation-not-supported');
    expect(await rest('/v1/models/full/generate', { count: 1001 })).toMatchObject({
      status: 413,
      code: 'batch-too-large',
      field: '/count',
    });
    expect(await refusal(both.grpc.call(generate, { model: 'full', count: 1001 }))).toBe('batch-too-large');
    expect(await rest('/v1/models/full/generate', { count: 0 })).toMatchObject({ field: '/count' });
    expect(await rest('/v1/models/full/generate', { number: 3 })).toMatchObject({ code: 'unknown-field' });
  });
});

describe('encode', () => {
  it('says how unusual each row is where it is asked', async () => {
    const answer = (await rest('/v1/models/full/encode?outliers=true', { inputs: rows })) as Record<string, unknown>;
    const plain = await rest('/v1/models/full/encode', { inputs: rows });
    // scores of 4 and 50 beside held-out ones from 0 to 100: 2·(.04·101 + 1)/102, and the middle
    const outliers = [
      { score: 4, pValue: (2 * (0.04 * 101 + 1)) / 102 },
      { score: 50, pValue: 1 },
    ];
    const { outliers: found, ...others } = answer as { outliers: { score: number; pValue: number }[] };
    expect(others).toEqual(plain);
    expect(found).toHaveLength(2);
    for (const [i, { score, pValue }] of outliers.entries()) {
      expect(found[i]?.score).toBeCloseTo(score, 5);
      expect(found[i]?.pValue).toBeCloseTo(pValue, 5);
    }
    const same = await both.grpc.call(encode, { model: 'full', content: inputs, outliers: true });
    expect(same.outliers.map(({ score, pValue }) => ({ score, pValue }))).toEqual(found);
    expect((await both.grpc.call(encode, { model: 'full', content: inputs })).outliers).toEqual([]);
  });

  it('says so in JSON only, of models that can', async () => {
    const octets = { accept: 'application/octet-stream' };
    const binary = await both.rest.send('POST', '/v1/models/full/encode?outliers=true', { inputs: rows }, octets);
    expect(binary.json).toMatchObject({ status: 400, field: 'Accept' });
    expect(await rest('/v1/models/plain/encode?outliers=true', { inputs: rows })).toMatchObject({
      code: 'operation-not-supported',
    });
    const asked = both.grpc.call(encode, { model: 'plain', content: inputs, outliers: true });
    expect(await refusal(asked)).toBe('operation-not-supported');
    expect(await rest('/v1/models/full/decode?outliers=true', { codes: [[1, 2]] })).toMatchObject({ status: 400 });
  });
});

it.each(['encode', 'generate'] as const)('%s is timed alike over both', async (operation) => {
  const timed = async () => {
    const text = await both.metrics.render();
    const count = (stage: string) =>
      new RegExp(`_count\\{stage="${stage}",operation="${operation}".*\\} (\\d+)$`, 'm').exec(text)?.[1];
    return ['read', 'wait', 'write'].map((stage) => Number(count(stage) ?? 0));
  };
  for (const ask of [
    () => rest(`/v1/models/full/${operation}`, operation === 'encode' ? { inputs: rows } : {}),
    () =>
      operation === 'encode'
        ? both.grpc.call(encode, { model: 'full', content: inputs })
        : both.grpc.call(generate, { model: 'full' }),
  ]) {
    const before = await timed();
    await ask();
    // the answer is here before the server knows that it has gone
    await vi.waitFor(async () => expect(await timed()).toEqual(before.map((count) => count + 1)));
  }
});

describe('recommend', () => {
  const ratings = [
    { item: 'a', rating: 2 },
    { item: 'b', rating: 4 },
    { item: 'zzz', rating: 1 },
  ];

  it('ranks what was not rated, names it, and tells what it does not know, alike over both', async () => {
    const question = { ratings, count: 2, items: ['d', 'a', '?'] };
    const answer = await rest('/v1/models/films/recommend', question);
    expect(answer).toEqual({
      ...{ model: 'films', version: 1, scores: 'ratings' },
      recommended: [
        { item: 'c', name: 'Casablanca', score: 4 },
        { item: 'd', score: 2 },
      ].toSorted((a, b) => b.score - a.score),
      asked: [
        { item: 'd', score: 2 },
        { item: 'a', name: 'Alien', score: 0 },
      ],
      unknown: ['zzz', '?'],
    });
    const { $typeName, $unknown, recommended, asked, ...same } = await both.grpc.call(recommend, {
      model: 'films',
      ...question,
    });
    const plain = (items: typeof recommended) => items.map(({ $typeName, $unknown, ...item }) => item);
    expect({ ...same, recommended: plain(recommended), asked: plain(asked) }).toEqual(answer);
  });

  it('takes an item without a rating as liked, and may recommend what was seen', async () => {
    const { recommended } = (await rest('/v1/models/films/recommend', {
      ratings: [{ item: 'a' }, { item: 'd', rating: 1 }],
      includeSeen: true,
    })) as { recommended: { item: string; score: number }[] };
    expect(recommended.map(({ item, score }) => [item, score])).toEqual([
      ['d', 5],
      ['a', 1],
      ['b', 0],
      ['c', 0],
    ]);
  });

  it('is refused for ratings of another scale and by models of rows', async () => {
    const wrong = { ratings: [{ item: 'a', rating: 6 }] };
    expect(await rest('/v1/models/films/recommend', wrong)).toMatchObject({
      code: 'invalid-request',
      field: '/ratings/0/rating',
    });
    expect(await refusal(both.grpc.call(recommend, { model: 'films', ...wrong }))).toBe('invalid-request');
    expect(await rest('/v1/models/plain/recommend', { ratings })).toMatchObject({ code: 'operation-not-supported' });
    expect(await refusal(both.grpc.call(recommend, { model: 'plain', ratings }))).toBe('operation-not-supported');
    expect(await rest('/v1/models/films/recommend', { ratings, many: 1 })).toMatchObject({ code: 'unknown-field' });
  });
});

describe('analyse', () => {
  it('gives code, expected words and nearest documents of each text, alike over both', async () => {
    const question = { texts: ['Ship, ship and a cat', 'nothing known'], nearest: 2, words: 1 };
    const answer = (await rest('/v1/models/texts/analyse', question)) as { texts: { code: string }[] };
    expect(answer).toEqual({
      ...{ model: 'texts', version: 1, codes: 'bits' },
      texts: [
        {
          ...{ known: 3, unknown: 1, code: '03', expected: [{ word: 'ship', probability: 2 }] },
          nearest: [
            { document: 'b.txt', begins: 'Blue', similarity: 1 },
            { document: 'a.txt', class: 'sea', similarity: 0.5 },
          ],
        },
        {
          ...{ known: 0, unknown: 2, code: '00', expected: [{ word: 'ship', probability: 0 }] },
          nearest: [
            { document: 'a.txt', class: 'sea', similarity: 0.5 },
            { document: 'b.txt', begins: 'Blue', similarity: 0 },
          ],
        },
      ],
    });
    const same = await both.grpc.call(analyse, { model: 'texts', ...question });
    const plain = JSON.parse(JSON.stringify(same, (key, value) => (key === '$typeName' ? undefined : value)));
    const texts = same.texts.map(({ code, topics }, i) => {
      const { code: _, topics: __, ...text } = plain.texts[i];
      expect(topics).toEqual([]);
      return { ...text, code: Buffer.from(code).toString('hex') };
    });
    expect({ ...plain, texts }).toEqual(answer);
  });

  it('is refused for too much at once, and by models of rows', async () => {
    const texts = new Array(65).fill('word');
    expect(await rest('/v1/models/texts/analyse', { texts })).toMatchObject({ field: '/texts' });
    expect(await refusal(both.grpc.call(analyse, { model: 'texts', texts }))).toBe('invalid-request');
    expect(await refusal(both.grpc.call(analyse, { model: 'texts', texts: [] }))).toBe('empty-batch');
    expect(await rest('/v1/models/plain/analyse', { texts: ['a'] })).toMatchObject({ code: 'operation-not-supported' });
    expect(await refusal(both.grpc.call(analyse, { model: 'plain', texts: ['a'] }))).toBe('operation-not-supported');
    expect(await rest('/v1/models/texts/analyse', { texts: [1] })).toMatchObject({ code: 'invalid-type' });
  });
});

describe('series', () => {
  it('come back with score and forecast, gaps and all, alike over both', async () => {
    const given = [
      [[1, 2]],
      [
        [3, 4],
        [2, 6],
      ],
    ];
    const answer = await rest('/v1/models/waves/series', { series: given });
    expect(answer).toEqual({
      ...{ model: 'waves', version: 1, threshold: 1 },
      series: [
        { reconstruction: [[1, 2]], score: 0, pValue: 1, anomalous: false, forecast: [] },
        {
          reconstruction: [
            [3, 4],
            [0, 0],
          ],
          score: (4 + 9) / 4,
          pValue: 0.1,
          anomalous: true,
          forecast: [],
        },
      ],
    });
    const same = await both.grpc.call(series, { model: 'waves', series: given.map((one) => ({ values: one.flat() })) });
    expect(same).toMatchObject({ model: 'waves', version: 1, channels: 2, threshold: 1 });
    expect(
      same.series.map(({ reconstruction, score, pValue, anomalous }) => ({ reconstruction, score, pValue, anomalous })),
    ).toEqual([
      { reconstruction: [1, 2], score: 0, pValue: 1, anomalous: false },
      { reconstruction: [3, 4, 0, 0], score: 3.25, pValue: 0.1, anomalous: true },
    ]);
    expect(await rest('/v1/models/waves/series', { series: [[[1, 2]]], forecast: 1 })).toMatchObject({
      series: [{ reconstruction: [[1, 2]], forecast: [[0, 0]] }],
    });
  });

  it('are refused where they do not fit, and by models of rows', async () => {
    const ask = (body: object) => rest('/v1/models/waves/series', body);
    expect(await ask({ series: [[1, 2]] })).toMatchObject({ code: 'shape-mismatch', field: '/series/0' });
    expect(await ask({ series: [[[1, 2], [3]]] })).toMatchObject({ code: 'shape-mismatch', field: '/series/0' });
    expect(await ask({ series: [new Array(3).fill([1, 2])] })).toMatchObject({ code: 'shape-mismatch', expected: 2 });
    expect(await ask({ series: [[[1, 2]]], forecast: 2 })).toMatchObject({
      code: 'shape-mismatch',
      field: '/forecast',
    });
    expect(await ask({ series: [[[null, null]]] })).toMatchObject({ code: 'empty-batch', field: '/series/0' });
    expect(await ask({ series: [[['1', 2]]] })).toMatchObject({ code: 'invalid-type' });
    const values = [1, 2];
    expect(await refusal(both.grpc.call(series, { model: 'waves', series: [] }))).toBe('empty-batch');
    const many = new Array(65).fill({ values });
    expect(await refusal(both.grpc.call(series, { model: 'waves', series: many }))).toBe('invalid-request');
    expect(await refusal(both.grpc.call(series, { model: 'waves', series: [{ values: [1] }] }))).toBe('shape-mismatch');
    const infinite = [{ values: [1, Number.POSITIVE_INFINITY] }];
    expect(await refusal(both.grpc.call(series, { model: 'waves', series: infinite }))).toBe('non-finite');
    expect(await rest('/v1/models/plain/series', { series: [[1]] })).toMatchObject({ code: 'operation-not-supported' });
  });
});

describe('translate', () => {
  it('gives the most probable targets of each source, alike over both', async () => {
    const answer = await rest('/v1/models/words/translate', { sources: ['ab', 'b?b'], best: 2 });
    const [half, quarter] = [0.5, 0.25].map((probability) => expect.closeTo(probability, 6));
    expect(answer).toEqual({
      ...{ model: 'words', version: 1 },
      translations: [
        {
          targets: [
            { target: 'X Y', probability: half },
            { target: '', probability: quarter },
          ],
          unknown: [],
        },
        {
          targets: [
            { target: 'Y Y', probability: half },
            { target: '', probability: quarter },
          ],
          unknown: ['?'],
        },
      ],
    });
    const same = await both.grpc.call(translate, { model: 'words', sources: ['ab', 'b?b'], best: 2 });
    const plain = JSON.parse(JSON.stringify(same, (key, value) => (key === '$typeName' ? undefined : value)));
    expect(plain).toEqual(answer);
    const one = (await rest('/v1/models/words/translate', { sources: ['ab'] })) as { translations: { targets: [] }[] };
    expect(one.translations[0]?.targets).toHaveLength(1);
  });

  it('is refused for sources that do not fit, and by models of rows', async () => {
    const ask = (sources: unknown) => rest('/v1/models/words/translate', { sources });
    expect(await ask(['ababa'])).toMatchObject({ code: 'shape-mismatch', field: '/sources/0', expected: 4 });
    expect(await ask(['a', '??'])).toMatchObject({ code: 'empty-batch', field: '/sources/1' });
    expect(await ask([1])).toMatchObject({ code: 'invalid-type' });
    expect(await refusal(both.grpc.call(translate, { model: 'words', sources: [] }))).toBe('empty-batch');
    expect(await refusal(both.grpc.call(translate, { model: 'words', sources: new Array(65).fill('a') }))).toBe(
      'invalid-request',
    );
    expect(await rest('/v1/models/plain/translate', { sources: ['a'] })).toMatchObject({
      code: 'operation-not-supported',
    });
  });
});
