// The client's calls against the contract, and following a job over connections that fail in every way they can.

import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { errorTable } from '../../src/base/errors.ts';
import type { Contract } from '../../src/gateway/http/contract.ts';
import { HourglassClient, type JobEvent, type JobRequest, ProblemError } from '../../src/sdk/index.ts';

const root = path.resolve(import.meta.dirname, '../..');
const contract = parse(readFileSync(path.join(root, 'openapi.yaml'), 'utf8')) as Contract;
const job: JobRequest = { name: 'x', dataset: 'mnist', model: { type: 'dense' } };
const rows = { data: new Float32Array(4), rows: 1 };

/** What each call of the contract is in the client. */
const calls: Readonly<Record<string, (client: HourglassClient) => Promise<unknown>>> = {
  postJobs: (client) => client.jobs.submit({ ...job, priority: 3, deadlineSeconds: 60 }),
  getJobs: (client) => client.jobs.list({ state: 'running', limit: 3 }),
  getJobsIdSamples: (client) => client.jobs.samples('i d', 3),
  getJobsId: (client) => client.jobs.get('i d'),
  postJobsIdCancel: (client) => client.jobs.cancel('i d'),
  postJobsIdResume: (client) => client.jobs.resume('i d'),
  postJobsIdRetry: (client) => client.jobs.retry('i d'),
  deleteJobsId: (client) => client.jobs.delete('i d'),
  getJobsIdEvents: (client) => client.jobs.events('i d').next(),
  postSweeps: (client) =>
    client.sweeps.submit({ job, search: { type: 'grid', parameters: { '/model/code': [8, 16] } } }),
  getSweeps: (client) => client.sweeps.list({ limit: 3 }),
  getSweepsId: (client) => client.sweeps.get('i d'),
  postSweepsIdCancel: (client) => client.sweeps.cancel('i d'),
  getQueues: (client) => client.queues(),
  getWorkers: (client) => client.workers(),
  getDatasetsNameRows: (client) => client.datasets.rows('a', { split: 'test', limit: 3 }),
  getDatasets: (client) => client.datasets.list(),
  getDatasetsName: (client) => client.datasets.get('a'),
  postDatasets: (client) =>
    client.datasets.upload(new Uint8Array(3), { name: 'a', filename: 'a.csv', options: { header: true } }),
  deleteDatasetsName: (client) => client.datasets.delete('a'),
  getModels: (client) => client.models.list(),
  getModelsModel: (client) => client.models.get('m'),
  putModelsModelShared: (client) => client.models.share('m', true),
  deleteModelsModelShared: (client) => client.models.share('m', false),
  deleteModelsModel: (client) => client.models.delete('m', { force: true }),
  getModelsModelVersionsVersion: (client) => client.models.version('m', 2),
  deleteModelsModelVersionsVersion: (client) => client.models.deleteVersion('m', 2, { force: true }),
  getModelsModelVersionsVersionFilesFile: (client) => client.models.file('m', 2, 'report.html'),
  putModelsModelAliasesAlias: (client) => client.models.setAlias('m', 'stable', 2),
  deleteModelsModelAliasesAlias: (client) => client.models.deleteAlias('m', 'stable'),
  getModelsModelBundle: (client) => client.models.bundle('m', { weights: 'int8' }),
  postModelsModelEncode: (client) => client.encode('m', rows),
  postModelsModelDecode: (client) => client.decode('m', rows),
  postModelsModelDenoise: (client) =>
    client.denoise('m', { picture: new Uint8Array(3), type: 'image/png', resize: true }),
  postModelsModelReconstruct: (client) => client.picture('reconstruct', 'm', rows),
  postModelsModelClassify: (client) => client.classify('m', rows),
  postModelsModelRecommend: (client) => client.recommend('m', [{ item: 'a', rating: 3 }], { count: 2 }),
  postModelsModelTranslate: (client) => client.translate('m', ['word'], { best: 2 }),
  postModelsModelSeries: (client) => client.series('m', [[1, null, 2]], { forecast: 2 }),
  postModelsModelAnalyse: (client) => client.analyse('m', ['some words'], { nearest: 3 }),
  postModelsModelGenerate: (client) => client.generate('m', 2, { seed: 1 }),
  postDecode: (client) => client.decodeFrame(new Uint8Array(9)),
  getAudit: (client) => client.audit({ limit: 2, tenant: 'acme' }),
  getReadyz: (client) => client.readiness(),
  getInfo: (client) => client.info(),
};

/** Short forms of calls that name their model, pages for people, calls in the words of other servers, keys (which the CLI makes). */
const left =
  /^(post(Encode|Denoise|Reconstruct|Classify)|get(Docs|Demo|Photos|Livez|OpenapiYaml|OpenapiJson)|head\w+)$|^(get|post)(Oip|Tensorflow)|^(get|post|delete)Keys/;

interface Sent {
  readonly method: string;
  readonly url: URL;
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

/** A client of a server that takes everything and says nothing. */
function recorder(): { client: HourglassClient; sent: Sent[] } {
  const sent: Sent[] = [];
  const client = new HourglassClient({
    baseUrl: 'http://hourglass.test',
    fetch: async (url, { method, headers, body }) => {
      sent.push({ method, url: new URL(url), headers, body });
      return new Response(url.includes('/events') ? 'data: {}\n\n' : '{}', {
        headers: { 'x-hourglass-model': 'm@2', 'x-hourglass-shape': '1' },
        status: url.includes('/events') ? 200 : 203,
      });
    },
    retries: 0,
  });
  return { client, sent };
}

describe('the client', () => {
  const operations = Object.entries(contract.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ template, method, ...operation })),
  );

  it('has a call for every call of the contract, and no other', () => {
    const names = operations.map(({ operationId = '' }) => operationId).filter((name) => !left.test(name));
    expect(Object.keys(calls).sort()).toEqual(names.sort());
  });

  it.each(operations.filter(({ operationId = '' }) => operationId in calls))(
    '$operationId goes to its path with parameters and a type that the contract has',
    async ({ operationId = '', template, method, parameters = [], requestBody }) => {
      const { client, sent } = recorder();
      if (operationId === 'getJobsIdEvents') void calls[operationId]?.(client).catch(() => undefined);
      else await calls[operationId]?.(client).catch((error) => expect(error).toBeInstanceOf(RangeError));
      await expect.poll(() => sent.length).toBeGreaterThan(0);
      const { url, headers, body, method: used } = sent[0] as Sent;
      expect(used).toBe(method.toUpperCase());
      const pattern = template.replace(/\{\w+\}/g, '[^/]+');
      expect(url.pathname).toMatch(new RegExp(`^${pattern}$`));
      const known = parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
      expect([...url.searchParams.keys()].filter((name) => !known.includes(name))).toEqual([]);
      if (requestBody) expect(Object.keys(requestBody.content)).toContain(headers['content-type']);
      else expect(body).toBeUndefined();
    },
  );

  it('sends a key of its own with each submission', async () => {
    const { client, sent } = recorder();
    await client.jobs.submit(job);
    await client.sweeps.submit({
      job,
      search: { type: 'random', parameters: { '/training/seed': { min: 1, max: 9 } } },
    });
    const keys = sent.map(({ headers }) => headers['idempotency-key'] ?? '');
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(keys).size).toBe(2);
  });

  it('says what is missing when it is made without an address', () => {
    expect(() => new HourglassClient({} as never)).toThrow(/baseUrl is missing/);
    expect(() => new HourglassClient(undefined as never)).toThrow(/baseUrl is missing/);
    expect(() => new HourglassClient({ baseUrl: 'localhost:8080' })).toThrow(/"localhost:8080".*http:\/\//s);
  });

  it('types of models are those of the contract', () => {
    // @ts-expect-error no such type
    const wrong: JobRequest = { ...job, model: { type: 'densee' } };
    // @ts-expect-error no such option of this type
    const odd: JobRequest = { ...job, model: { type: 'dense', kernel: 3 } };
    expect([wrong, odd]).toHaveLength(2);
  });
});

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
});

async function serve(listener: RequestListener): Promise<HourglassClient> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return new HourglassClient({ baseUrl, retries: 2, backoffMs: 1, maxBackoffMs: 20 });
}

const state = (id: number): string => `id: ${id}-0\nevent: state\ndata: {"state":"running"}\n\n`;
const end = 'id: 9-0\nevent: end\ndata: {"id":"x"}\n\n';
const failure = (code: string, status: number): string =>
  `event: error\ndata: ${JSON.stringify({ type: `urn:hourglass:problem:${code}`, code, status, detail: code })}\n\n`;

async function collect(events: AsyncIterable<JobEvent>): Promise<{ seen: string[]; error: unknown }> {
  const seen: string[] = [];
  try {
    for await (const { id, type } of events) seen.push(`${type} ${id}`);
    return { seen, error: undefined };
  } catch (error) {
    return { seen, error };
  }
}

describe('following a job', () => {
  const answering = (...answers: ((response: ServerResponse, request: IncomingMessage) => void)[]) => {
    const asked: (string | undefined)[] = [];
    const listener: RequestListener = (request, response) => {
      const answer = answers[Math.min(asked.length, answers.length - 1)];
      asked.push(request.headers['last-event-id'] as string | undefined);
      response.setHeader('content-type', 'text/event-stream');
      answer?.(response, request);
    };
    return { asked, listener };
  };

  it('goes on after the last event when the stream ends, breaks, or tells of an error that passes', async () => {
    const { asked, listener } = answering(
      (response) => response.end(`retry: 2000\n\n${state(1)}`),
      (response) => response.end(`${state(2)}${failure('queue-unavailable', 503)}`),
      (response) => response.write(state(3), () => response.destroy()),
      (response) => response.end(`event: news\nid: 4-0\ndata: {}\n\n${end}`),
    );
    const client = await serve(listener);
    const { seen, error } = await collect(client.jobs.events('x'));
    expect(error).toBeUndefined();
    expect(seen).toEqual(['state 1-0', 'state 2-0', 'state 3-0', 'end 9-0']);
    expect(asked).toEqual([undefined, '1-0', '2-0', '3-0']);
  });

  it('ends with the error that will not pass', async () => {
    const { asked, listener } = answering((response) => response.end(state(1) + failure('job-not-found', 404)));
    const { seen, error } = await collect((await serve(listener)).jobs.events('x'));
    expect(seen).toEqual(['state 1-0']);
    expect(error).toMatchObject({ name: 'ProblemError', code: 'job-not-found', status: 404 });
    expect(asked).toHaveLength(1);
  });

  it('does not connect for ever to a server that says nothing', async () => {
    const { asked, listener } = answering((response) => response.end(': still here\n\n'));
    const { seen, error } = await collect((await serve(listener)).jobs.events('x'));
    expect(seen).toEqual([]);
    expect(error).toBeInstanceOf(ProblemError);
    expect(asked.length).toBe(11);
  });

  it('ends where all has been seen', async () => {
    const { listener } = answering((response) => response.writeHead(204).end());
    expect(await collect((await serve(listener)).jobs.events('x'))).toEqual({ seen: [], error: undefined });
  });

  it('keeps the reason of a connection that failed', async () => {
    const away = new HourglassClient({ baseUrl: 'http://127.0.0.1:9', retries: 0 });
    const error: unknown = await away.info().catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'unreachable', status: 0, retryable: true });
    expect((error as Error).cause).toBeInstanceOf(Error);
    expect((error as Error).message).toMatch(/ECONNREFUSED|bad port/);
  });
});

it('knows of every code of the error table whether the same call may succeed later', () => {
  const known = Object.entries(errorTable).map(([code, { http }]) => [
    code,
    new ProblemError(code, '', http).retryable,
  ]);
  expect(Object.fromEntries(known)).toEqual(
    Object.fromEntries(Object.entries(errorTable).map(([code, { retryable }]) => [code, retryable])),
  );
});
