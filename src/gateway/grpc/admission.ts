/**
 * Which calls grpc-js gets to see, and when: streams that their client has not already taken back, as many at once as there are
 * places, in turn with the requests of all other clients. A connection that cancels too many calls is ended (rapid reset, CVE-2023-44487).
 */

import {
  constants,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { normaliseError } from '../../base/errors.ts';
import type { Metrics } from '../../platform/metrics.ts';
import type { ConnectionTable } from '../connection-table.ts';
import { clientOf, type Places } from '../places.ts';
import type { TurnShare } from '../turn-share.ts';
import { toStatus } from './errors.ts';

export interface AdmissionOptions {
  readonly calls: Places;
  readonly connections: ConnectionTable;
  /** calls that one connection may cancel within `windowMs` */
  readonly maxResets: number;
  readonly metrics: Metrics;
  /** in which calls of all clients are begun */
  readonly turns: TurnShare;
}

type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number) => void;

const windowMs = 10_000;
/** calls that one connection may open in one turn of the event loop before they are looked at again */
const maxBurst = 16;
/** calls without a place that wait to be told why */
const mostRefusing = 1000;

/** `connect` makes the session of a connection, by `inject`. */
export interface Admission {
  connect(socket: Socket, inject: () => void): void;
}

export function admitStreams(server: Http2Server, options: AdmissionOptions): Admission {
  const { calls, connections, metrics, turns } = options;
  const [serve] = server.listeners('stream') as StreamListener[];
  if (!serve) throw new TypeError('grpc-js does not listen to streams');
  const peers = new WeakMap<object, { readonly socket: Socket; readonly client: string }>();
  const resets = new WeakMap<object, { count: number; since: number }>();

  /** Counts a call that its client has cancelled. */
  const cancelled = (session: ServerHttp2Session): void => {
    if (session.destroyed) return;
    const now = performance.now();
    let recent = resets.get(session);
    if (!recent || now - recent.since > windowMs) {
      recent = { count: 0, since: now };
      resets.set(session, recent);
    }
    if (++recent.count <= options.maxResets) return;
    metrics.count('requests', 1, { transport: 'grpc', route: 'none', code: 'overloaded' });
    const reason = `more than ${options.maxResets} cancelled calls in ${windowMs / 1000} s (HOURGLASS_MAX_RESETS)`;
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from(reason));
    session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };

  let connecting: Socket | undefined;
  server.on('session', (session) => {
    if (!connecting) return;
    peers.set(session, { socket: connecting, client: clientOf(connecting.remoteAddress) });
  });
  /** streams that a connection has opened in this turn of the event loop */
  const bursts = new WeakMap<object, number>();
  const burstOf = (session: ServerHttp2Session): number => {
    const opened = (bursts.get(session) ?? 0) + 1;
    bursts.set(session, opened);
    if (opened === 1) setImmediate(() => bursts.delete(session));
    return opened;
  };
  let refusing = 0;

  server.removeAllListeners('stream');
  server.on('stream', (stream, headers, flags) => {
    ignore(stream);
    const session = stream.session as ServerHttp2Session | undefined;
    if (!session || session.destroyed) return;
    if (stream.destroyed || stream.closed) {
      stream.destroy();
      return cancelled(session);
    }
    const { client, socket } = peers.get(session) ?? { client: 'unknown', socket: undefined };
    let run: () => void;
    try {
      const giveBack = calls.take(client);
      if (socket) connections.begin(socket);
      let isServed = false;
      let isOver = false;
      let isWaiting = true;
      stream.once('close', () => {
        isOver = true;
        // A call that waits for its turn keeps its place, so that no more wait than there are places.
        if (!isWaiting) giveBack();
        if (socket) connections.end(socket);
        // A client that has its status may take back what it has not sent yet, such as the message of a refused call.
        const isCancelled = stream.rstCode === constants.NGHTTP2_CANCEL && stream.aborted && !hasStatus(stream);
        if (!isServed || isCancelled) cancelled(session);
      });
      run = () => {
        isWaiting = false;
        if (isOver) giveBack();
        // Node keeps a stream that is only closed, and so its place, until what has arrived is read.
        if (stream.closed) stream.destroy();
        if (session.destroyed || stream.destroyed) return;
        isServed = true;
        serve.call(server, stream, headers, flags);
      };
    } catch (error) {
      metrics.count('requests', 1, { transport: 'grpc', route: 'none', code: 'overloaded' });
      // Even saying why takes time: beyond so many that wait to be told, clients are only asked to try again.
      if (refusing >= mostRefusing) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
      refusing++;
      run = () => {
        refusing--;
        if (!stream.destroyed && !stream.closed) refuse(stream, error);
      };
    }
    const job = { client, topic: () => undefined, run, refuse: run };
    // Many at once may be cancelled by what follows them: they are looked at once that has been read.
    if (burstOf(session) > maxBurst) turns.defer(job);
    else turns.run(job);
  });
  return {
    connect(socket, inject) {
      connecting = socket;
      inject();
      connecting = undefined;
    },
  };
}

const hasStatus = ({ sentHeaders, sentTrailers }: ServerHttp2Stream): boolean =>
  (sentTrailers ?? sentHeaders)?.['grpc-status'] !== undefined;

function ignore(stream: ServerHttp2Stream): void {
  stream.on('error', () => {});
}

/** Answers with a status and no message, and does not wait for the rest of the request. */
function refuse(stream: ServerHttp2Stream, thrown: unknown): void {
  const { code, details, metadata } = toStatus(normaliseError(thrown), '');
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc+proto',
      'grpc-status': code,
      'grpc-message': encodeURI(details),
      ...metadata?.toHttp2Headers(),
    },
    { endStream: true },
  );
  stream.resume();
  stream.close(constants.NGHTTP2_NO_ERROR);
}
