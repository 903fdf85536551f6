// Data sets over REST: one file as the body, several in a form, forms that are none, and uploads that break off and leave
// nothing behind.
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { restRefusal } from '../../conformance/both.ts';
import { zip } from '../../data/archives.ts';
import { floats, idx, npy } from '../../data/arrays.ts';
import { picture } from '../../data/pictures.ts';
import { firstAnswer, startGateway, type TestGateway, talk } from './harness.ts';

const maxUploadBytes = 100_000;
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ config: { maxUploadBytes } });
});
afterAll(() => gateway.stop());

const octets = { 'content-type': 'application/octet-stream' };
const rows = npy({ shape: [10, 3] }, floats(...Array.from({ length: 30 }, (_, i) => i / 30)));
const upload = (target: string, body: unknown, headers?: Record<string, string>) =>
  gateway.rest.send('POST', target, body, headers);
const blob = (bytes: Uint8Array) => new Blob([bytes as Uint8Array<ArrayBuffer>]);

function form(parts: Readonly<Record<string, string | Uint8Array>>): FormData {
  const data = new FormData();
  for (const [name, part] of Object.entries(parts)) {
    if (typeof part === 'string') data.append(name, part);
    else data.append(name, blob(part), `${name}.bin`);
  }
  return data;
}

describe('one file as the body', () => {
  it.each([
    ['npy', octets['content-type'], rows, [3]],
    ['csv', 'text/csv', Buffer.from('a,b\n1,2\n3,4\n5,6\n7,8\n'), [2]],
    [
      'idx',
      octets['content-type'],
      idx(
        8,
        [4, 2, 2],
        Uint8Array.from({ length: 16 }, (_, i) => i),
      ),
      [2, 2, 1],
    ],
  ])('%s', async (name, type, body, shape) => {
    const answer = await upload(`/v1/datasets?name=one-${name}&filename=x.${name}`, body, { 'content-type': type });
    expect(answer).toMatchObject({ status: 201, json: { name: `one-${name}`, shape, builtIn: false } });
    expect(answer.headers.get('location')).toBe(`/v1/datasets/one-${name}`);
    expect((await gateway.rest.send('GET', `/v1/datasets/one-${name}`)).json).toEqual(answer.json);
  });

  it('a zip of pictures', async () => {
    const entries = await Promise.all(
      [1, 2, 3, 4].map(async (i) => ({ name: `${i}.png`, data: await picture({ color: i * 50 }) })),
    );
    const answer = await upload('/v1/datasets?name=pictures', zip(entries), { 'content-type': 'application/zip' });
    expect(answer).toMatchObject({ status: 201, json: { shape: [3, 4, 1] } });
  });

  it('with options', async () => {
    const options = encodeURIComponent(JSON.stringify({ testFraction: 0.5, seed: 3 }));
    const answer = await upload(`/v1/datasets?name=halved&options=${options}`, rows, octets);
    expect(answer).toMatchObject({ status: 201, json: { rows: { train: 5, test: 5 } } });
  });
});

describe('several files in a form', () => {
  it('each under its role, fields first', async () => {
    const labels = npy(
      { descr: '|u1', shape: [10] },
      Uint8Array.from({ length: 10 }, (_, i) => i % 2),
    );
    const answer = await upload(
      '/v1/datasets',
      form({ name: 'labelled', options: '{"testFraction":0.2}', rows, labels }),
    );
    expect(answer).toMatchObject({ status: 201, json: { name: 'labelled', classes: 2, rows: { train: 8, test: 2 } } });
  });

  it('with the name in the query, files in any order', async () => {
    const answer = await upload('/v1/datasets?name=parted', form({ 'test-rows': rows, rows }));
    expect(answer).toMatchObject({ status: 201, json: { rows: { train: 10, test: 10 } } });
  });

  it.each([
    ['no name', '/v1/datasets', form({ rows }), 'invalid-request'],
    ['two names', '/v1/datasets?name=a', form({ name: 'b', rows }), 'invalid-request'],
    ['no file', '/v1/datasets?name=a', form({ options: '{}' }), 'invalid-request'],
    ['only labels', '/v1/datasets?name=a', form({ labels: rows }), 'invalid-request'],
    ['a file of no role', '/v1/datasets?name=a', form({ data: rows }), 'unknown-field'],
    ['a file of no role after one', '/v1/datasets?name=a', form({ rows, data: rows }), 'unknown-field'],
    ['a field that is none', '/v1/datasets?name=a', form({ colour: 'red', rows }), 'unknown-field'],
    ['a field after a file', '/v1/datasets', form({ rows, name: 'a' }), 'invalid-request'],
    ['options that are no JSON', '/v1/datasets?name=a', form({ options: '{', rows }), 'malformed-json'],
    ['options that are unknown', '/v1/datasets?name=a', form({ options: '{"x":1}', rows }), 'unknown-field'],
    ['an option of the wrong type', '/v1/datasets?name=a', form({ options: '{"seed":"1"}', rows }), 'invalid-type'],
    [
      'an option out of bounds',
      '/v1/datasets?name=a',
      form({ options: '{"testFraction":2}', rows }),
      'invalid-request',
    ],
    ['a name that is none', '/v1/datasets', form({ name: '../x', rows }), 'invalid-request'],
  ])('%s is refused', async (_, target, body, code) => {
    expect(restRefusal(await upload(target, body))).toMatchObject({ code });
  });

  it('too many parts are refused, and many files as well', async () => {
    const fields = new FormData();
    for (let i = 0; i < 1001; i++) fields.append('name', 'a');
    expect(restRefusal(await upload('/v1/datasets', fields))).toMatchObject({ code: 'too-many-parts' });
    const files = new FormData();
    for (let i = 0; i < 500; i++) files.append('rows', blob(Uint8Array.of(1)), 'x');
    expect(restRefusal(await upload('/v1/datasets?name=a', files))).toMatchObject({ code: 'too-many-parts' });
  });

  it.each([
    ['no boundary', 'multipart/form-data', 'x'],
    ['a long boundary', `multipart/form-data; boundary=${'b'.repeat(71)}`, 'x'],
    ['another boundary', 'multipart/form-data; boundary=a', '--b\r\n\r\n--b--\r\n'],
    [
      'no end',
      'multipart/form-data; boundary=a',
      '--a\r\nContent-Disposition: form-data; name="rows"; filename="x"\r\n\r\nabc',
    ],
    [
      'a file without a name',
      'multipart/form-data; boundary=a',
      '--a\r\nContent-Disposition: form-data; filename="a.csv"\r\n\r\n1,2\r\n--a--\r\n',
    ],
    [
      'a field without a name',
      'multipart/form-data; boundary=a',
      '--a\r\nContent-Disposition: form-data\r\n\r\n1,2\r\n--a--\r\n',
    ],
    ['no part', 'multipart/form-data; boundary=a', '--a--\r\n'],
    ['nothing', 'multipart/form-data; boundary=a', ''],
    ['a header without end', 'multipart/form-data; boundary=a', `--a\r\nX: ${'x'.repeat(50_000)}`],
  ])('%s is refused', async (_, type, body) => {
    const { code } = restRefusal(await upload('/v1/datasets?name=a', Buffer.from(body), { 'content-type': type }));
    expect(['malformed-body', 'invalid-request']).toContain(code);
  });
});

describe('refused', () => {
  it.each([
    ['no name', '/v1/datasets', rows, octets, 'invalid-request'],
    ['a taken name', '/v1/datasets?name=mnist', rows, octets, 'dataset-exists'],
    ['an unknown parameter', '/v1/datasets?name=a&split=1', rows, octets, 'unknown-field'],
    ['an unknown type', '/v1/datasets?name=a', rows, { 'content-type': 'text/html' }, 'unsupported-media-type'],
    [
      'compressed on the way',
      '/v1/datasets?name=a',
      rows,
      { ...octets, 'content-encoding': 'gzip' },
      'unsupported-media-type',
    ],
    ['an unknown format', '/v1/datasets?name=a', Buffer.from('GIF89a'), octets, 'unsupported-dataset'],
    ['half a file', '/v1/datasets?name=a', rows.subarray(0, 100), octets, 'invalid-dataset'],
    ['NaN in it', '/v1/datasets?name=a', npy({ shape: [2, 1] }, floats(1, Number.NaN)), octets, 'non-finite'],
    ['nothing in it', '/v1/datasets?name=a', new Uint8Array(), octets, 'invalid-dataset'],
    ['too large', '/v1/datasets?name=a', new Uint8Array(maxUploadBytes + 1), octets, 'payload-too-large'],
    ['no body', '/v1/datasets?name=a', undefined, {}, 'invalid-request'],
  ] as [string, string, unknown, Record<string, string>, string][])('%s', async (_, target, body, headers, code) => {
    expect(restRefusal(await upload(target, body, headers))).toMatchObject({ code });
  });

  it('too large in chunks, whose end nobody waits for', async () => {
    const head =
      'POST /v1/datasets?name=a HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    expect(firstAnswer(await talk(gateway.port, head, ...Array(20).fill(chunk)))).toMatchObject({
      code: 'payload-too-large',
    });
  });
});

describe('that break off', () => {
  const boundary = 'Content-Type: multipart/form-data; boundary=a\r\nContent-Length: 5000\r\n\r\n';
  const part = '--a\r\nContent-Disposition: form-data; name="rows"; filename="x"\r\n\r\n';
  it.each([
    ['as a body', `Content-Type: application/octet-stream\r\nContent-Length: 5000\r\n\r\n${'x'.repeat(2000)}`],
    ['as a form, inside of a file', `${boundary}${part}${'x'.repeat(2000)}`],
    ['as a form, before any file', `${boundary}--a\r\nContent-Disposition: form-data; name="na`],
  ])('%s', async (_, text) => {
    const seen = gateway.log.length;
    const socket = connect(gateway.port, '127.0.0.1');
    socket.write(`POST /v1/datasets?name=broken HTTP/1.1\r\nHost: x\r\n${text}`);
    setTimeout(() => socket.destroy(), 100);
    await expect
      .poll(() => gateway.log.slice(seen).find((line) => line.route === '/v1/datasets')?.code)
      .toBe('cancelled');
    expect(restRefusal(await gateway.rest.send('GET', '/v1/datasets/broken'))).toMatchObject({
      code: 'dataset-not-found',
    });
  });
});

it('leaves nothing behind but what was accepted', async () => {
  const { datasets } = (await gateway.rest.send('GET', '/v1/datasets')).json as {
    datasets: { name: string; builtIn: boolean }[];
  };
  const names = datasets.filter(({ builtIn }) => !builtIn).map(({ name }) => name);
  expect(names).toEqual(['halved', 'labelled', 'one-csv', 'one-idx', 'one-npy', 'parted', 'pictures']);
  const folders = new Set(gateway.datasetFiles().map((file) => file.split('/')[0]));
  await expect.poll(() => [...new Set(gateway.datasetFiles().map((file) => file.split('/')[0]))].sort()).toEqual(names);
  for (const name of names) expect((await gateway.rest.send('DELETE', `/v1/datasets/${name}`)).status).toBe(204);
  expect(folders.size).toBeGreaterThan(0);
  expect(gateway.datasetFiles()).toEqual([]);
  const text = await gateway.metrics.render();
  expect(text).toMatch(/hourglass_uploads_total\{outcome="accepted",.*\} 7/);
  expect(text).toMatch(/hourglass_upload_bytes_total\{.*\} [1-9]\d{3}/);
});

describe('forms and bodies as browsers and command lines send them', () => {
  const csv = 'a,b\n1,2\n3,4\n';
  const noTest = '{"testFraction":0}';
  const boundary = 'xyz';
  const raw = (parts: readonly (readonly [headers: string, content: string])[]) =>
    Buffer.from(
      `${parts.map(([headers, content]) => `--${boundary}\r\nContent-Disposition: form-data; ${headers}\r\n\r\n${content}\r\n`).join('')}--${boundary}--\r\n`,
    );
  const multipartType = { 'content-type': `multipart/form-data; boundary=${boundary}` };

  it('options as a JSON blob with a file name', async () => {
    const data = new FormData();
    data.append('name', 'blob');
    data.append('options', new Blob([noTest], { type: 'application/json' }));
    data.append('rows', blob(Buffer.from(csv)), 'x.csv');
    expect(await upload('/v1/datasets', data)).toMatchObject({ status: 201, json: { rows: { train: 2, test: 0 } } });
  });

  it('files without a file name', async () => {
    const parts = raw([
      ['name="name"', 'nameless'],
      ['name="options"', noTest],
      ['name="rows"\r\nContent-Type: text/csv', csv],
      ['name="labels"', 'x\ny'],
    ]);
    expect(await upload('/v1/datasets', parts, multipartType)).toMatchObject({
      status: 201,
      json: { name: 'nameless', classNames: ['x', 'y'], rows: { train: 2 } },
    });
  });

  it('says where the name belongs when it comes after a file', async () => {
    const parts = raw([
      ['name="rows"; filename="x.csv"', csv],
      ['name="name"', 'late'],
    ]);
    const answer = await upload('/v1/datasets', parts, multipartType);
    expect(restRefusal(answer)).toMatchObject({ code: 'invalid-request' });
    expect(JSON.stringify(answer.json)).toContain('before its files');
  });

  it.each([
    'application/x-www-form-urlencoded',
    'application/vnd.ms-excel',
    'text/plain; charset=utf-8',
    'text/tab-separated-values',
    'application/x-npy',
  ])('a table as %s', async (type) => {
    const name = `typed-${type.replaceAll(/[^a-z]/g, '-')}`;
    const answer = await upload(`/v1/datasets?name=${name}&options=${encodeURIComponent(noTest)}`, Buffer.from(csv), {
      'content-type': type,
    });
    expect(answer).toMatchObject({ status: 201, json: { header: true, columns: ['a', 'b'], warnings: [] } });
  });

  it.each(['application/x-zip-compressed', 'application/x-tar-gz', 'application/x-compressed-tar'])(
    'an archive as %s',
    async (type) => {
      const entries = await Promise.all(
        [1, 2].map(async (i) => ({ name: `${i}.png`, data: await picture({ color: i }) })),
      );
      const target = `/v1/datasets?name=${type.replaceAll(/[^a-z]/g, '-')}&options=${encodeURIComponent(noTest)}`;
      expect(await upload(target, zip(entries), { 'content-type': type })).toMatchObject({ status: 201 });
    },
  );

  it('an encoding in the query, as a charset, or among the options', async () => {
    const body = Buffer.from('art,x\nBär,1\nBör,2\n', 'latin1');
    const options = (more = {}) => encodeURIComponent(JSON.stringify({ testFraction: 0, labelColumn: 'art', ...more }));
    const cases: [string, string, string][] = [
      ['query', `&options=${options()}&encoding=windows-1252`, 'text/csv'],
      ['charset', `&options=${options()}`, 'text/csv; charset=windows-1252'],
      ['option', `&options=${options({ encoding: 'cp1252' })}`, 'text/csv; charset=utf-8'],
    ];
    for (const [name, query, type] of cases) {
      const answer = await upload(`/v1/datasets?name=encoded-${name}${query}`, body, { 'content-type': type });
      expect(answer).toMatchObject({ status: 201, json: { classNames: ['Bär', 'Bör'], encoding: 'windows-1252' } });
    }
    const refused = await upload(`/v1/datasets?name=a&options=${options()}`, body, { 'content-type': 'text/csv' });
    expect(restRefusal(refused)).toMatchObject({ code: 'invalid-dataset' });
  });
});
