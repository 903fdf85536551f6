// The attacks. Each goes on until it is told to stop, then takes back what it opened.
import { once } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { GetFileRequestSchema } from '../../src/gen/hourglass/v1/registry_pb.ts';
import { SubmitSweepRequestSchema } from '../../src/gen/hourglass/v1/sweep_pb.ts';
import { mebibyte, type Service } from './service.ts';
import { call, callHeaders, frame, framed, frameType, open, openMany, openSession, preface } from './wire.ts';

export type Attack = (service: Service, over: AbortSignal) => Promise<void>;

const encode = 'hourglass.v1.InferenceService/Encode';
const post = (path: string, type: string, length: number): string =>
  `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`;
const grid = (pointers: number) => ({
  job: { name: 'x', dataset: 'mnist', model: { type: 'dense' } },
  search: {
    type: 'grid',
    parameters: Object.fromEntries(Array.from({ length: pointers }, (_, i) => [`/model/a${i.toString(16)}`, [1]])),
  },
});

/** `attack` is done to each of them; they stay open until it is over. */
async function withSockets(
  sockets: readonly Socket[],
  over: AbortSignal,
  attack: (socket: Socket, i: number) => void,
): Promise<void> {
  for (const [i, socket] of sockets.entries()) attack(socket, i);
  await until(over);
  for (const socket of sockets) socket.destroy();
}

async function withSessions(
  service: Service,
  count: number,
  over: AbortSignal,
  attack: (session: ClientHttp2Session) => void,
  settings = {},
): Promise<void> {
  const sessions = await Promise.all(Array.from({ length: count }, () => openSession(service.grpcPort, settings)));
  for (const session of sessions) attack(session);
  await until(over);
  for (const session of sessions) session.destroy();
}

const until = (over: AbortSignal): Promise<unknown> => (over.aborted ? Promise.resolve() : once(over, 'abort'));

/** Repeats `write` on many raw connections, each opened again when it is closed. */
async function flood(
  port: number,
  connections: number,
  over: AbortSignal,
  write: (socket: Socket) => Promise<void>,
): Promise<void> {
  const one = async (): Promise<void> => {
    while (!over.aborted) {
      const socket = (await open(port)).resume();
      await write(socket);
      socket.destroy();
      await sleep(5);
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
}

async function pour(socket: Socket, over: AbortSignal, bytes: Buffer): Promise<void> {
  while (!over.aborted && !socket.destroyed && socket.writable) {
    if (!socket.write(bytes))
      await Promise.race([once(socket, 'drain').catch(() => {}), once(socket, 'close').catch(() => {}), sleep(200)]);
    else await sleep(0);
  }
}

export const attacks: Readonly<Record<string, Attack>> = {
  'sweeps of 40,000 one-value pointers over REST': async ({ httpPort }, over) => {
    const text = JSON.stringify(grid(40_000));
    const one = async () => {
      while (!over.aborted) {
        const socket = (await open(httpPort)).resume();
        socket.end(post('/v1/sweeps', 'application/json', text.length) + text);
        await Promise.race([once(socket, 'close').catch(() => {}), until(over)]);
        socket.destroy();
      }
    };
    await Promise.all(Array.from({ length: 4 }, one));
  },

  'a sweep of 30 MB over gRPC': (service, over) => {
    const { job, search } = grid(400_000);
    const message = framed(toBinary(SubmitSweepRequestSchema, create(SubmitSweepRequestSchema, { job, search })));
    return withSessions(service, 4, over, (session) =>
      call(session, 'hourglass.v1.SweepService/SubmitSweep')?.resume().end(message),
    );
  },

  '150 readers that never read a file of 17 MiB': async ({ httpPort }, over) => {
    const sockets = await openMany(httpPort, 150);
    const get = 'GET /v1/models/digits/versions/1/files/large.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
    await withSockets(sockets, over, (socket) => {
      socket.write(get);
    });
  },

  '8 × 100 GetFile streams without a window': (service, over) => {
    const request = { name: 'digits', version: 1, path: 'large.bin' };
    const message = framed(toBinary(GetFileRequestSchema, create(GetFileRequestSchema, request)));
    const attack = (session: ClientHttp2Session): void => {
      for (let i = 0; i < 100; i++) call(session, 'hourglass.v1.RegistryService/GetFile')?.end(message);
    };
    return withSessions(service, 8, over, attack, { initialWindowSize: 0 });
  },

  '40 messages of 64 kB that decompress to 63 MiB': async (service, over) => {
    const bomb = framed(gzipSync(Buffer.alloc(63 * mebibyte)), true);
    while (!over.aborted) {
      const round = AbortSignal.any([over, AbortSignal.timeout(2000)]);
      await withSessions(service, 8, round, (session) => {
        for (let i = 0; i < 5; i++) call(session, encode, { 'grpc-encoding': 'gzip' })?.resume().end(bomb);
      });
    }
  },

  '32 half-sent messages of 58 MiB': (service, over) => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(60 * mebibyte, 1);
    const piece = Buffer.alloc(mebibyte);
    return withSessions(service, 8, over, (session) => {
      for (let i = 0; i < 4; i++) {
        const stream = call(session, encode)?.resume();
        void (async () => {
          stream?.write(head);
          for (let k = 0; stream && k < 58 && !stream.destroyed && stream.writable; k++) {
            if (!stream.write(piece))
              await Promise.race([once(stream, 'drain').catch(() => {}), once(stream, 'close')]);
          }
        })();
      }
    });
  },

  '16 bodies of 33 MiB that stop on their way': async ({ httpPort }, over) => {
    const sockets = await openMany(httpPort, 16);
    const head = post('/encode?model=digits', 'application/octet-stream', 62_720_000);
    const piece = Buffer.alloc(33 * mebibyte);
    await withSockets(sockets, over, (socket) => {
      socket.resume().write(head);
      socket.write(piece);
    });
  },

  '8,000 bodies of one byte': async ({ httpPort }, over) => {
    const sockets = await openMany(httpPort, 8000);
    const head = post('/encode?model=digits', 'application/octet-stream', 62_720_000);
    await withSockets(sockets, over, (socket) => {
      socket.write(`${head}0`);
    });
  },

  '64 clients that never read their answers': async ({ httpPort }, over) => {
    const codes = JSON.stringify({ codes: Array.from({ length: 4000 }, () => Array(32).fill(0.5)) });
    const sockets = await openMany(httpPort, 64);
    const request = post('/decode?model=digits', 'application/json', codes.length) + codes;
    await withSockets(sockets, over, (socket) => {
      socket.write(request.repeat(4));
    });
  },

  '1,500 clients that pipeline small predictions and never read': async ({ httpPort }, over) => {
    const codes = JSON.stringify({ codes: Array.from({ length: 20 }, () => Array(32).fill(0.5)) });
    const sockets = await openMany(httpPort, 1500);
    const request = post('/decode?model=digits', 'application/json', codes.length) + codes;
    await withSockets(sockets, over, (socket) => {
      socket.write(request.repeat(24));
    });
  },

  '40 bodies of 64 kB that decompress to 63 MiB over the Open Inference Protocol': async ({ httpPort }, over) => {
    const bomb = gzipSync(Buffer.alloc(63 * mebibyte, ' '));
    const head = post('/v2/models/digits/infer', 'application/json\r\nContent-Encoding: gzip', bomb.length);
    while (!over.aborted) {
      const round = AbortSignal.any([over, AbortSignal.timeout(2000)]);
      const sockets = await openMany(httpPort, 40);
      await withSockets(sockets, round, (socket) => {
        socket.resume().write(head);
        socket.write(bomb);
      });
    }
  },

  '2,000 silent uploads': async ({ httpPort }, over) => {
    const sockets = await openMany(httpPort, 2000);
    await withSockets(sockets, over, (socket, i) => {
      socket.resume().write(`${post(`/v1/datasets?name=s${i}`, 'text/csv', 4_000_000)}1`);
    });
  },

  '30 gzip CSV uploads that expand to 40 MB': async ({ httpPort }, over) => {
    const body = gzipSync('1\n'.repeat(20_000_000), { level: 9 });
    const sockets = await openMany(httpPort, 30);
    await withSockets(sockets, over, (socket, i) => {
      socket.resume().write(post(`/v1/datasets?name=g${process.pid}-${i}`, 'application/gzip', body.length));
      socket.write(body);
    });
  },

  '50 connections that pipeline GETs without a pause': ({ httpPort }, over) => {
    const gets = Buffer.from('GET /v1/jobs?limit=1000 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'.repeat(2000));
    return flood(httpPort, 50, over, async (socket) => {
      socket.pause();
      await pour(socket, over, gets);
    });
  },

  '100 connections that cancel 1,000 calls each': ({ grpcPort }, over) => {
    const cancel = Buffer.from([0, 0, 0, 8]);
    const burst = Buffer.concat([
      preface,
      ...Array.from({ length: 1000 }, (_, i) => [
        frame(frameType.headers, 4, 2 * i + 1, callHeaders),
        frame(frameType.reset, 0, 2 * i + 1, cancel),
      ]).flat(),
    ]);
    return flood(grpcPort, 100, over, async (socket) => {
      socket.write(burst);
      await Promise.race([once(socket, 'close').catch(() => {}), until(over), sleep(3000)]);
    });
  },

  'floods of PING, SETTINGS and CONTINUATION': async ({ grpcPort }, over) => {
    const many = (bytes: Buffer): Buffer => Buffer.concat(Array<Buffer>(1000).fill(bytes));
    const floods = [
      [preface, many(frame(frameType.ping, 0, 0, Buffer.alloc(8)))],
      [preface, many(frame(frameType.settings, 0, 0, Buffer.from([0, 4, 0, 0, 255, 255])))],
      [
        Buffer.concat([preface, frame(frameType.headers, 0, 1, callHeaders)]),
        many(frame(frameType.continuation, 0, 1)),
      ],
    ] as const;
    await Promise.all(
      floods.map(([first, rest]) =>
        flood(grpcPort, 2, over, async (socket) => {
          socket.write(first);
          await pour(socket, over, rest);
        }),
      ),
    );
  },

  '5,000 Health.Watch and 5,000 reflection streams': (service, over) => {
    const ask = framed(Buffer.alloc(0));
    return withSessions(service, 40, over, (session) => {
      for (let i = 0; i < 125; i++) {
        call(session, 'grpc.health.v1.Health/Watch')?.resume().end(ask);
        call(session, 'grpc.reflection.v1.ServerReflection/ServerReflectionInfo')?.resume();
      }
    });
  },

  '3,000 gRPC connections with a call each': async ({ grpcPort }, over) => {
    const sockets = await openMany(grpcPort, 3000);
    const first = Buffer.concat([preface, frame(frameType.headers, 4, 1, callHeaders)]);
    await withSockets(sockets, over, (socket) => {
      socket.resume().write(first);
    });
  },

  '10,050 open connections': async ({ httpPort }, over) => {
    const sockets = await openMany(httpPort, 10_050);
    await withSockets(sockets, over, (socket) => {
      socket.resume().write('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    });
  },
};
