/**
 * Memory for bytes that come piece by piece. Pieces are copied: a piece that Node.js hands over is a view of a larger read
 * (64 KiB), which would stay in memory as long as the piece. And what is dropped goes back to the system at once: ordinary
 * buffers of this age wait for a full garbage collection, which may not come for minutes.
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
