/**
 * The REST gateway: Fastify with our own reading of bodies, errors as problem+json, limits on time, size and number.
 *
 *   socket ─► parser ─► router ─► body (kind of the route) ─► query check ─► handler ─► answer
 *      └ errorOfParser    └ 404, 405     └──────────── HourglassError ─► errors.ts ─► problem+json
 */

import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { type FastifyBaseLogger, type FastifyReply, type FastifyRequest, fastify, LogController } from 'fastify';
import { isShown } from '../../access/access.ts';
import { HourglassError } from '../../base/errors.ts';
import type { Metrics } from '../../platform/metrics.ts';
import { ConnectionTable } from '../connection-table.ts';
import { oipRoutes } from '../oip/routes.ts';
import { RequestLog } from '../request-log.ts';
import { tensorflowRoutes } from '../tfserving/routes.ts';
import { plainWarning, TlsPort } from '../tls-port.ts';
import { admit, arrive, requireScope } from './admit.ts';
import { noteChange, requireAudit } from './audit.ts';
import { parseBody, requireBody } from './body.ts';
import { countAnswer } from './counted-answer.ts';
import { allowReading, answerPreflight, checkHost, checkOrigin, isPreflight } from './cross-origin.ts';
import { whenEnded } from './ending.ts';
import { errorOfParser, rawAnswer } from './errors.ts';
import { answerErrors, fail } from './failure.ts';
import { FastLane, putBefore } from './fast-lane.ts';
import { hstsHeader, hstsOf } from './hsts.ts';
import { addEveryMethod, collectPaths } from './known-paths.ts';
import { createObserver, type Observer } from './observe.ts';
import { boundPipelining, isRefused, tooManyWaiting } from './pipeline.ts';
import { answerAboutServer, asksAboutServer, checkProtocol, takeOver } from './protocol.ts';
import { tellRates } from './rate-limit.ts';
import { holdContinue, releaseMemory, settleUnread } from './read-body.ts';
import { requestIdOf } from './request-id.ts';
import { enforceSchemas } from './request-schemas.ts';
import type { App, HttpParts, RouteParts } from './route-parts.ts';
import { analyseRoutes } from './routes/analyse.ts';
import { auditRoutes } from './routes/audit.ts';
import { bundleRoutes } from './routes/bundle.ts';
import { contractRoutes } from './routes/contract.ts';
import { datasetRoutes } from './routes/datasets.ts';
import { generateRoutes } from './routes/generate.ts';
import { healthRoutes } from './routes/health.ts';
import { jobEventRoutes } from './routes/job-events.ts';
import { jobRoutes } from './routes/jobs.ts';
import { keyRoutes } from './routes/keys.ts';
import { modelRoutes } from './routes/models.ts';
import { pageRoutes } from './routes/pages.ts';
import { predictionRoutes } from './routes/predictions.ts';
import { queueRoutes } from './routes/queues.ts';
import { recommendRoutes } from './routes/recommend.ts';
import { seriesRoutes } from './routes/series.ts';
import { sweepRoutes } from './routes/sweeps.ts';
import { translateRoutes } from './routes/translate.ts';

export interface HttpServer {
  /** Resolves to the port; 0 takes a free one. Rejects when it is taken. */
  listen(host: string, port: number): Promise<number>;
  /** Ends event streams, takes no more connections, waits for the other answers at most `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

const maxHeaderBytes = 16 * 1024;
/** names, versions and aliases are at most this long, percent-encoded or not */
const maxParamLength = 256;
const sweepMs = 50;

export function createHttpServer(parts: HttpParts): HttpServer {
  const drain = new AbortController();
  const { config, metrics } = parts;
  const observer = observerOf(parts);
  const app = createApp(parts, drain.signal, { observer });
  const connections = new ConnectionTable(config.maxConnections, (open) =>
    metrics.set('connections', open, { transport: 'rest' }),
  );
  const tls = acceptConnections(app.server, connections, parts);
  // Where requests are traced, each has a span, which the framework's way makes.
  if (!parts.traces)
    putBefore(
      app.server,
      new FastLane({ ...parts, observer, memory: parts.limits.memory, hsts: hstsOf(config) }, parts.access),
    );
  boundPipelining(app.server, {
    connections,
    maxPipelined: config.maxPipelined,
    cut: () => metrics.count('requests', 1, { transport: 'rest', route: 'none', code: 'overloaded' }),
    turns: parts.limits.turns,
  });

  return {
    async listen(host, port) {
      await app.ready();
      await app.listen({ host, port });
      return (app.server.address() as AddressInfo).port;
    },

    async close(graceMs) {
      drain.abort();
      const cutOff = setTimeout(() => app.server.closeAllConnections(), graceMs);
      // Node closes what is idle now; what falls idle later, or has never said anything, would wait for its client.
      const sweep = setInterval(() => {
        app.server.closeIdleConnections();
        for (const socket of connections.sockets) if (socket.bytesRead === 0) socket.destroy();
        tls?.close();
      }, sweepMs);
      await app.close();
      clearTimeout(cutOff);
      clearInterval(sweep);
    },
  };
}

/** Puts the count of connections, and TLS where there is a certificate, between the port and Node's HTTP server. */
function acceptConnections(server: Server, connections: ConnectionTable, { tls: files, config, log }: HttpParts) {
  const [serve] = server.listeners('connection') as ((socket: Socket) => void)[];
  if (!serve) throw new TypeError('the server does not listen to connections');
  server.removeAllListeners('connection');
  const tls =
    files &&
    new TlsPort({
      ...{ files, protocol: 'http/1.1', handshakeMs: config.headersTimeoutMs, turnsAway: true },
      plainAnswer() {
        const text = 'Plain HTTP was sent to a port that speaks TLS. Use https://.';
        return rawAnswer(new HourglassError('invalid-request', text), randomUUID());
      },
      plain: (address) => log.warn({ transport: 'rest', address }, plainWarning),
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
  return tls;
}

const observerOf = ({ log, metrics, config, traces }: HttpParts): Observer =>
  createObserver(new RequestLog(log.child({ transport: 'rest' }), config), metrics, traces);

export interface AppOptions {
  readonly observer?: Observer;
  /** for what has to know of every route */
  readonly beforeRoutes?: (app: App) => void;
}

/** The application without a port. */
export function createApp(parts: HttpParts, draining: AbortSignal, options: AppOptions = {}): App {
  const { observer = observerOf(parts), beforeRoutes } = options;
  const { config, metrics, readiness, access } = parts;
  const log = parts.log.child({ transport: 'rest' });
  const app = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: requestIdOf,
    // A logger for each request costs more than the line it writes: the lines carry the id themselves.
    childLoggerFactory: (logger) => logger,
    connectionTimeout: config.idleTimeoutMs,
    keepAliveTimeout: Math.max(1, config.keepAliveMs),
    requestTimeout: Math.max(config.uploadTimeoutMs, config.headersTimeoutMs),
    http: {
      headersTimeout: config.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(1000, config.headersTimeoutMs),
      maxHeaderSize: maxHeaderBytes,
      // missing ones are refused with a problem document (checkProtocol)
      requireHostHeader: false,
    },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength },
    frameworkErrors: (error, request, reply) => {
      observer.begin(request as FastifyRequest, reply as FastifyReply);
      fail(error, request as FastifyRequest, reply as FastifyReply);
    },
    clientErrorHandler: (error, socket) => answerParserError(error, socket, metrics),
  }).withTypeProvider<TypeBoxTypeProvider>() as unknown as App;

  const { memory } = parts.limits;
  const hsts = hstsOf(config);
  const routeParts: RouteParts = { ...parts, log, draining, observer };

  app.addHook('onRoute', requireScope);
  app.addHook('onRoute', requireAudit);
  app.addHook('onRoute', enforceSchemas);
  app.setSerializerCompiler(() => JSON.stringify);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request: FastifyRequest) => parseBody(request, { ...config, memory }));
  app.server.on('checkContinue', (request, response) => {
    holdContinue(request, response);
    app.server.emit('request', request, response);
  });
  app.decorateRequest('caller');
  app.decorateRequest('tenant');
  app.decorateRequest('changed');
  takeOver(app);
  addEveryMethod(app);
  const knownPath = collectPaths(app, maxParamLength);
  app.decorateRequest('known');
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) request.known = knownPath(request);
    arrive(request, access, observer.begin(request, reply));
    whenEnded(reply.raw, () => releaseMemory(request.raw));
    reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff');
    if (hsts !== undefined) reply.header(hstsHeader, hsts);
    allowReading(request, reply, config);
    const elsewhere = checkProtocol(request);
    if (asksAboutServer(request)) return void answerAboutServer(reply);
    const { known } = request;
    if (known && isPreflight(request, config)) return void answerPreflight(request, reply, known.allow);
    // What is not there is said to everybody.
    if (!request.is404) {
      checkHost(request, config);
      checkOrigin(request, config);
      if (isRefused(request.raw)) throw tooManyWaiting;
    }
    if (elsewhere !== undefined) return void reply.redirect(elsewhere, 308);
    admit(request, parts, done);
  });
  app.addHook('preValidation', (request, _reply, done) => {
    requireBody(request);
    done();
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    settleUnread(request.raw, reply);
    if (readiness.stopping && request.raw.complete) reply.header('connection', 'close');
    tellRates(request, reply);
    noteChange(request, reply, parts.audit);
    done(null, countAnswer(request.raw, reply, payload, memory));
  });
  answerErrors(app);

  beforeRoutes?.(app);
  app.register(async (scope) => {
    const routes = scope as unknown as App;
    healthRoutes(routes, routeParts);
    if (isShown(config.docs, access)) contractRoutes(routes);
    pageRoutes(routes, routeParts);
    jobRoutes(routes, routeParts);
    jobEventRoutes(routes, routeParts);
    sweepRoutes(routes, routeParts);
    queueRoutes(routes);
    datasetRoutes(routes, routeParts);
    modelRoutes(routes, routeParts);
    bundleRoutes(routes, routeParts);
    predictionRoutes(routes, routeParts);
    generateRoutes(routes, routeParts);
    recommendRoutes(routes, routeParts);
    analyseRoutes(routes, routeParts);
    seriesRoutes(routes, routeParts);
    translateRoutes(routes, routeParts);
    oipRoutes(routes, routeParts);
    tensorflowRoutes(routes, routeParts);
    keyRoutes(routes, routeParts);
    auditRoutes(routes, routeParts);
  });
  return app;
}

function answerParserError(thrown: Error, socket: Socket, metrics: Metrics): void {
  const error = errorOfParser(thrown);
  if (error) metrics.count('requests', 1, { transport: 'rest', route: 'none', code: error.code });
  const answered = socket.bytesWritten > 0 && '_httpMessage' in socket && socket._httpMessage !== null;
  if (error && socket.writable && !answered) socket.end(rawAnswer(error, randomUUID()));
  socket.destroySoon();
}
