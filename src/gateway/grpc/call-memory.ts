/**
 * What a call holds of the budget of bytes: its request as it arrives, partial messages too, what a message decompresses
 * to, and answers that wait to be read. Each method has its own limit on the length of a message.
 */

import { constants } from 'node:http2';
import { createGunzip, createInflate } from 'node:zlib';
import type { Metadata, ServerInterceptingCall, ServerInterceptor, StatusObject } from '@grpc/grpc-js';
import { HourglassError, normaliseError } from '../../base/errors.ts';
import type { ByteBudget, Holding } from '../byte-budget.ts';
import { FairQueue } from '../fair-queue.ts';
import { clientOf } from '../places.ts';
import { toStatus } from './errors.ts';
import { type InnermostCall, innermost } from './internals.ts';
import { framingBytes, GrowingBuffer, MessageSplitter } from './message-memory.ts';

export interface CallMemoryOptions {
  readonly memory: ByteBudget;
  /** bytes of one request message of a method */
  messageLimit(path: string): number;
}

/** The bytes of answers up to here are not counted; whether they are read is watched. */
const uncountedBytes = 16 * 1024;
/** a client may go on sending for this long after its call has ended, so that it gets to see the status */
const lingerMs = 100;
/** what a connection writes besides, such as answers to pings, is no sign that answers are read */
const positionStep = 16 * 1024;

const holdings = new WeakMap<Metadata, Holding>();

/** For handlers of streams: a message has been dealt with. */
export function releaseMessage(metadata: Metadata, bytes: number): void {
  holdings.get(metadata)?.giveBack(bytes + framingBytes);
}

/** For handlers of streams: until the next message arrives, the client is not waited for. */
export function messageTaken(metadata: Metadata): void {
  holdings.get(metadata)?.arrived();
}

/** Changes the innermost call and leaves it in its place. */
export function countBytes({ memory, messageLimit }: CallMemoryOptions): ServerInterceptor {
  return ({ path }, outer) => {
    const call = innermost(outer);
    const { stream } = call;
    const limit = messageLimit(path);
    const splitter = new MessageSplitter(limit);
    call.decoder = splitter;
    call.maxReceiveMessageSize = limit;

    let ended = false;
    /** Ends the call whatever state it is in, and drops what has arrived of it. */
    const end = (error: HourglassError): void => {
      if (ended) return;
      ended = true;
      splitter.drop();
      if (stream.headersSent) stream.close(constants.NGHTTP2_CANCEL);
      else call.sendStatus(toStatus(error, ''));
      holding.release();
    };
    const holding = memory.hold({ client: clientOf(stream.session?.socket.remoteAddress), cut: end });
    holdings.set(call.metadata, holding);
    stream.once('close', () => {
      splitter.drop();
      holding.release();
    });

    // Before grpc-js' own listener, which keeps the bytes.
    stream.prependListener('data', (chunk: Buffer) => {
      if (ended) return;
      try {
        holding.add(chunk.length);
        holding.arriving();
      } catch (error) {
        end(normaliseError(error));
      }
    });
    stream.once('end', () => holding.arrived());
    boundDecompression(call, holding, limit);
    countAnswers(call, holding, end);
    endStreams(call);
    return outer as ServerInterceptingCall;
  };
}

function boundDecompression(call: InnermostCall, holding: Holding, limit: number): void {
  const decompress = call.decompressMessage.bind(call);
  call.decompressMessage = (framed, encoding) => {
    if (encoding !== 'gzip' && encoding !== 'deflate') return decompress(framed, encoding);
    return inflate(framed.subarray(framingBytes), encoding, holding, limit).finally(() =>
      holding.giveBack(framed.length),
    );
  };
}

/** Messages that are decompressed at a time; what waits for its turn is still small. Clients take turns. */
const maxInflating = 2;
const chunkSize = 64 * 1024;
let inflating = 0;
const waiting = new FairQueue<() => void>();

/** Rejects with a status. Holds the bytes of the result. */
async function inflate(
  compressed: Buffer,
  encoding: 'gzip' | 'deflate',
  holding: Holding,
  limit: number,
): Promise<Buffer> {
  if (inflating < maxInflating) inflating++;
  else await new Promise<void>((resolve) => waiting.push(holding.client, resolve));
  const output = new GrowingBuffer(limit);
  try {
    if (holding.isReleased) throw ended();
    const inflater = encoding === 'gzip' ? createGunzip({ chunkSize }) : createInflate({ chunkSize });
    inflater.end(compressed);
    // Leaving the loop by an error destroys the inflater.
    for await (const piece of inflater as AsyncIterable<Buffer>) {
      if (holding.isReleased) throw ended();
      if (output.length + piece.length > limit) throw tooLarge(limit);
      holding.add(piece.length);
      output.push(piece);
    }
    return output.take();
  } catch (error) {
    holding.giveBack(output.length);
    throw toStatus(
      error instanceof HourglassError
        ? error
        : new HourglassError('malformed-body', `The message is not valid ${encoding}.`),
      '',
    ) satisfies StatusObject;
  } finally {
    output.drop();
    // A turn that is passed on stays counted.
    const next = waiting.shift();
    if (next) next();
    else inflating--;
  }
}

/** Nobody sees it: the call got its status, or is gone. */
const ended = (): HourglassError => new HourglassError('request-timeout', 'The call has ended.');

const tooLarge = (limit: number): HourglassError =>
  new HourglassError(
    'decompressed-too-large',
    `The message is larger than ${limit} bytes once decompressed. Send less at a time.`,
    { expected: limit },
  );

function countAnswers(call: InnermostCall, holding: Holding, end: (error: HourglassError) => void): void {
  const { stream } = call;
  const send = call.sendMessage.bind(call);
  let written = 0;
  call.sendMessage = (message: Buffer, callback) => {
    const bytes = message.length > uncountedBytes ? message.length : 0;
    try {
      holding.add(bytes);
    } catch (error) {
      return end(normaliseError(error));
    }
    holding.sending(() => written + Math.floor((stream.session?.socket.bytesWritten ?? 0) / positionStep));
    send(message, () => {
      written++;
      holding.giveBack(bytes);
      // What comes next may take its time: nobody waits for the client.
      holding.arrived();
      callback();
    });
  };
}

/** A call that has ended takes nothing more of its client. */
function endStreams(call: InnermostCall): void {
  const { stream } = call;
  const send = call.sendStatus.bind(call);
  call.sendStatus = (status) => {
    send(status);
    if (stream.readableEnded) return;
    // grpc-js would read on; so the client stops after one window (64 KiB).
    stream.pause();
    // Closing it would not be enough: Node keeps a paused stream, and its place, until what has arrived is read.
    const letGo = (): void => {
      if (!stream.destroyed) stream.destroy();
    };
    setTimeout(() => {
      if (stream.writableFinished) letGo();
      else stream.once('finish', letGo);
    }, lingerMs).unref();
  };
}
