/** Splits what arrives of a gRPC stream into messages, and keeps the part of a message that has arrived. */

import { GrowingBuffer } from '../growing-buffer.ts';

/** gRPC puts five bytes in front of each message: whether it is compressed, and its length. */
export const framingBytes = 5;

/** Splits a stream into messages, each with its framing. In the place of grpc-js' own decoder. */
export class MessageSplitter {
  readonly #limit: number;
  readonly #framing = Buffer.alloc(framingBytes);
  #framed = 0;
  #message: GrowingBuffer | undefined;
  /** of the message, that are still to come */
  #missing = 0;
  #dropped = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The messages that end in `data`. Throws when one is longer than the limit, before it has arrived. */
  write(data: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    let at = 0;
    while (at < data.length && !this.#dropped) {
      if (this.#message === undefined) {
        const taken = data.copy(this.#framing, this.#framed, at, at + framingBytes - this.#framed);
        at += taken;
        this.#framed += taken;
        if (this.#framed < framingBytes) break;
        this.#begin(this.#framing.readUInt32BE(1));
      }
      at += this.#fill(data.subarray(at), messages);
    }
    return messages;
  }

  /** Forgets what has arrived, and whatever comes from now on. */
  drop(): void {
    this.#dropped = true;
    this.#message?.drop();
    this.#message = undefined;
  }

  #begin(length: number): void {
    if (length > this.#limit) throw new Error(`Received message larger than max (${length} vs ${this.#limit})`);
    this.#message = new GrowingBuffer(framingBytes + length);
    this.#message.push(this.#framing);
    this.#missing = length;
    this.#framed = 0;
  }

  #fill(data: Buffer, messages: Buffer[]): number {
    const piece = data.subarray(0, this.#missing);
    this.#message?.push(piece);
    this.#missing -= piece.length;
    if (this.#missing === 0 && this.#message) {
      messages.push(this.#message.take());
      this.#message = undefined;
    }
    return piece.length;
  }
}
