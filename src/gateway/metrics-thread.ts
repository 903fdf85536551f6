/**
 * The thread behind the metrics port (metrics-server.ts): its own event loop answers probes and writes metrics as text, so that
 * no load of the service holds them up. `/livez` looks only at the service's heartbeat; what else it needs, it asks for.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { parentPort, workerData } from 'node:worker_threads';
import { type MetricsSnapshot, metricsContentTypes, renderSnapshots } from '../platform/metrics.ts';
import { TlsFiles, type TlsPaths } from '../platform/tls-files.ts';
import { ConnectionTable } from './connection-table.ts';
import { type CrossOriginConfig, isAllowedHost } from './http/cross-origin.ts';
import { type ReadinessReport, readinessParts, reportFor } from './readiness.ts';
import { plainWarning, TlsPort } from './tls-port.ts';

export interface MetricsThreadOptions {
  readonly host: string;
  readonly port: number;
  readonly config: CrossOriginConfig;
  /** absent: connections are not encrypted */
  readonly tls: TlsPaths | undefined;
  /** absent: `/readyz` is not there */
  readonly hasReadiness: boolean;
  /** when the service's event loop last turned, ms of `process.hrtime` */
  readonly heartbeat: BigInt64Array;
  /** a service without a heartbeat for longer is not alive */
  readonly hangMs: number;
}

export type Topic = 'metrics' | 'readiness';

/** To the service. */
export type FromThread =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'warning'; readonly facts: object; readonly message: string }
  | { readonly type: 'refused'; readonly message: string; readonly facts: object }
  | { readonly type: 'question'; readonly id: number; readonly topic: Topic };

/** From the service; `close`, or the answer to a question: undefined when there was none to give. */
export type ToThread =
  | { readonly type: 'close' }
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown };

/** connections at once; with more, the one idle for the longest time is closed */
const maxConnections = 256;
/** Kubernetes waits for a second: after this time, the answer is the last report instead of a fresh one. */
const freshReportMs = 500;
const longestAnswerMs = 10_000;
const requestTimeoutMs = 10_000;
/** questions that the service has not answered yet; more are not asked */
const maxQuestions = 1000;

const port = parentPort;
if (!port) throw new Error('this file runs as a thread');
const options = workerData as MetricsThreadOptions;
const tell = (message: FromThread): void => port.postMessage(message);

const questions = new Map<number, (answer: unknown) => void>();
let asked = 0;

/** Undefined when the service does not answer in time, or has nothing to say. */
function ask(topic: Topic, timeoutMs: number): Promise<unknown> {
  if (questions.size >= maxQuestions) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const id = asked++;
    const answered = (answer: unknown): void => {
      clearTimeout(timer);
      questions.delete(id);
      resolve(answer);
    };
    const timer = setTimeout(answered, timeoutMs, undefined);
    questions.set(id, answered);
    tell({ type: 'question', id, topic });
  });
}

/** Milliseconds since the service's event loop last turned. */
function silentMs(): number {
  const last = Atomics.load(options.heartbeat, 0);
  return Number(process.hrtime.bigint() / 1_000_000n - last);
}

let lastReport: ReadinessReport | undefined;

/** One question at a time: probes that come together share its answer, and it is kept even when it comes late. */
let looking: Promise<ReadinessReport | undefined> | undefined;
function look(): Promise<ReadinessReport | undefined> {
  looking ??= ask('readiness', longestAnswerMs).then((answer) => {
    looking = undefined;
    if (answer !== undefined) lastReport = answer as ReadinessReport;
    return lastReport;
  });
  return looking;
}

async function readiness(): Promise<ReadinessReport> {
  const waited = new Promise<undefined>((resolve) => setTimeout(resolve, freshReportMs, undefined));
  const report = (await Promise.race([look(), waited])) ?? lastReport;
  if (report && silentMs() < options.hangMs) return report;
  const part = { ready: false, detail: 'the event loop does not answer' };
  const parts = report?.parts ?? Object.fromEntries(readinessParts.map((name) => [name, part]));
  return { ready: false, parts: { ...parts, server: part } as ReadinessReport['parts'] };
}

const text = { 'content-type': 'text/plain; charset=utf-8' };

function answerLiveness(response: ServerResponse): void {
  const ms = silentMs();
  if (ms < options.hangMs) response.writeHead(200, text).end('ok\n');
  else response.writeHead(503, text).end(`The event loop has not turned for ${Math.floor(ms / 1000)} s.\n`);
}

async function answerMetrics(response: ServerResponse, accept: string | undefined, isHead: boolean): Promise<void> {
  const snapshots = (await ask('metrics', longestAnswerMs)) as readonly MetricsSnapshot[] | undefined;
  if (!snapshots) return void response.writeHead(503, text).end('The metrics cannot be read.\n');
  const format = /\bapplication\/openmetrics-text\b/i.test(accept ?? '') ? 'openmetrics' : 'prometheus';
  const rendered = await renderSnapshots(snapshots, format);
  response.writeHead(200, { vary: 'accept', 'content-type': metricsContentTypes[format] });
  response.end(isHead ? '' : rendered);
}

const files =
  options.tls &&
  new TlsFiles(options.tls, (reason) =>
    tell({ type: 'warning', facts: { reason }, message: 'the metrics port keeps its certificate' }),
  );
const plainText = 'Plain HTTP was sent to a port that speaks TLS. Use https://, or set HOURGLASS_METRICS_TLS=off.\n';
const plainRefusal = [
  'HTTP/1.1 400 Bad Request',
  `Content-Type: ${text['content-type']}`,
  `Content-Length: ${plainText.length}`,
  'Connection: close',
  `\r\n${plainText}`,
].join('\r\n');
/** A client that has shown a certificate, where that is asked for. */
const isTrusted = ({ socket }: IncomingMessage): boolean =>
  files?.needsClientCertificates !== true || (socket as TLSSocket).authorized;

const server = createServer(
  { requestTimeout: requestTimeoutMs, keepAliveTimeout: 72_000 },
  async (request, response) => {
    response.setHeader('cache-control', 'no-store');
    const [path, query] = (request.url ?? '').split('?', 2);
    const { host, accept } = request.headers;
    const isKnown = path === '/metrics' || path === '/livez' || (path === '/readyz' && options.hasReadiness);
    if (host !== undefined && !isAllowedHost(host, options.config)) {
      const problem =
        'This server does not answer to that host name. If it is yours, list it in HOURGLASS_ALLOWED_HOSTS.\n';
      response.writeHead(403, text).end(problem);
    } else if (!isKnown) {
      const known = `/metrics, /livez${options.hasReadiness ? ' and /readyz' : ''}`;
      response.writeHead(404, text).end(`There is no such path. There are ${known}.\n`);
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else if (path === '/metrics' && !isTrusted(request)) {
      response.writeHead(403, text).end('The metrics need a client certificate of HOURGLASS_TLS_CLIENT_CA.\n');
    } else if (path === '/livez') {
      answerLiveness(response);
    } else if (path === '/readyz') {
      const report = reportFor(await readiness(), new URLSearchParams(query).get('for') ?? undefined);
      response.writeHead(report.ready ? 200 : 503, { 'content-type': 'application/json' }).end(JSON.stringify(report));
    } else {
      await answerMetrics(response, accept, request.method === 'HEAD');
    }
  },
);

const [serve] = server.listeners('connection') as ((socket: Socket) => void)[];
if (!serve) throw new TypeError('the server does not listen to connections');
server.removeAllListeners('connection');
const connections = new ConnectionTable(maxConnections);
const tls =
  files &&
  new TlsPort({
    // Probes have no certificate of their own.
    ...{ files, protocol: 'http/1.1', handshakeMs: requestTimeoutMs, turnsAway: false },
    plainAnswer: () => plainRefusal,
    plain: (address) => tell({ type: 'warning', facts: { address }, message: plainWarning }),
    secured(socket, raw) {
      connections.replace(raw, socket);
      serve.call(server, socket);
    },
  });
server.on('connection', (socket) => {
  if (!connections.add(socket)) return;
  if (tls) tls.accept(socket);
  else serve.call(server, socket);
});
server.prependListener('request', (request, response) => {
  connections.begin(request.socket);
  response.once('close', () => connections.end(request.socket));
});

port.on('message', (message: ToThread) => {
  if (message.type === 'answer') {
    questions.get(message.id)?.(message.answer);
    return;
  }
  server.close(() => process.exit());
  tls?.close();
  server.closeAllConnections();
});
server.once('error', (error: NodeJS.ErrnoException) => {
  const { code, errno, syscall } = error;
  tell({ type: 'refused', message: error.message, facts: { code, errno, syscall } });
  port.close();
});
server.listen(options.port, options.host, () =>
  tell({ type: 'listening', port: (server.address() as AddressInfo).port }),
);
