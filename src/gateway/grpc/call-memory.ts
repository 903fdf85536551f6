/**
 * What a call holds of the budget of bytes: its request as it arrives, partial messages too, what a message decompresses
 * to, and answers that wait to be read. Each method has its own limit on the length of a message.
 */

import { constants } from 'node:http2';
import type { Metadata, ServerInterceptingCall, ServerInterceptor, StatusObject } from '@grpc/grpc-js';
import { type HourglassError, normaliseError } from '../../base/errors.ts';
import type { ByteBudget, Holding } from '../byte-budget.ts';
import { inflateWithin } from '../inflate.ts';
import { clientOf } from '../places.ts';
import { toStatus } from './errors.ts';
import { type InnermostCall, innermost } from './internals.ts';
import { framingBytes, MessageSplitter } from './message-memory.ts';

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

/** Takes room for an answer before it is computed. Throws `overloaded`. */
export function reserveAnswer(metadata: Metadata, bytes: number): void {
  holdings.get(metadata)?.reserve(bytes);
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
    return inflateWithin(framed.subarray(framingBytes), encoding, holding, limit)
      .catch((error: unknown) => {
        throw toStatus(normaliseError(error), '') satisfies StatusObject;
      })
      .finally(() => holding.giveBack(framed.length));
  };
}

function countAnswers(call: InnermostCall, holding: Holding, end: (error: HourglassError) => void): void {
  const { stream } = call;
  const send = call.sendMessage.bind(call);
  let written = 0;
  call.sendMessage = (message: Buffer, callback) => {
    const bytes = message.length > uncountedBytes ? message.length : 0;
    try {
      holding.answer(bytes);
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
