/**
 * The memory of gRPC messages while they arrive or are decompressed. A piece that Node.js hands over is a view of a larger
 * read (64 KiB), which would stay in memory as long as the piece; so pieces are copied. And what is dropped goes back to the
 * system at once: ordinary buffers of this age wait for a full garbage collection, which may not come for minutes.
 */

/** Up to here a message is an ordinary buffer. */
const ordinaryBytes = 256 * 1024;
const stepBytes = 512 * 1024;

/** Bytes that come piece by piece. Takes memory for what has come, not for what was announced. */
export class GrowingBuffer {
  readonly #most: number;
  #length = 0;
  #ordinary: Buffer = Buffer.alloc(0);
  /** takes the place of the ordinary buffer once there is more; `resize` takes pages from the system and gives them back */
  #resizable: ArrayBuffer | undefined;

  /** More than `most` bytes never come. */
  constructor(most: number) {
    this.#most = most;
  }

  get length(): number {
    return this.#length;
  }

  push(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    this.#reserve(length).set(piece, this.#length);
    this.#length = length;
  }

  /** All of it in a buffer of exactly its size. Empty afterwards. */
  take(): Buffer {
    const all = this.#reserve(this.#length);
    // A piece of the pool is as good as a buffer of its own.
    const taken =
      all === this.#ordinary && all.length === this.#length
        ? this.#ordinary
        : Buffer.from(all.subarray(0, this.#length));
    this.drop();
    return taken;
  }

  drop(): void {
    this.#resizable?.resize(0);
    this.#resizable = undefined;
    this.#ordinary = Buffer.alloc(0);
    this.#length = 0;
  }

  /** The memory, of at least `length` bytes. */
  #reserve(length: number): Uint8Array {
    if (this.#resizable === undefined) {
      const { length: capacity } = this.#ordinary;
      if (length <= capacity) return this.#ordinary;
      if (length <= ordinaryBytes) {
        const larger = Buffer.allocUnsafe(Math.min(this.#most, Math.max(length, 2 * capacity)));
        larger.set(this.#ordinary.subarray(0, this.#length));
        this.#ordinary = larger;
        return larger;
      }
      this.#resizable = new ArrayBuffer(length, { maxByteLength: this.#most });
      new Uint8Array(this.#resizable).set(this.#ordinary.subarray(0, this.#length));
      this.#ordinary = Buffer.alloc(0);
    }
    const memory = this.#resizable;
    if (length > memory.byteLength) memory.resize(Math.min(this.#most, length + stepBytes));
    return new Uint8Array(memory);
  }
}

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
