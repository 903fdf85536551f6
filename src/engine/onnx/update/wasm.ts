/**
 * Writes WebAssembly modules of functions `name(part, parts)` over an imported memory. Only what the update kernels
 * need: v128 locals, loops over a part of an array, SIMD instructions. Binary format: WebAssembly Core Specification 2.0, §5.
 */

/** SIMD instructions by their code after the 0xfd prefix. */
export const simd = {
  load: 0x00,
  loadSplat: 0x09,
  store: 0x0b,
  constant: 0x0c,
  shuffle: 0x0d,
  eq: 0x41,
  ne: 0x42,
  lt: 0x43,
  gt: 0x44,
  le: 0x45,
  ge: 0x46,
  not: 0x4d,
  and: 0x4e,
  andNot: 0x4f,
  or: 0x50,
  bitselect: 0x52,
  shiftLeft: 0xab,
  shiftRight: 0xad,
  addIntegers: 0xae,
  abs: 0xe0,
  neg: 0xe1,
  sqrt: 0xe3,
  add: 0xe4,
  sub: 0xe5,
  mul: 0xe6,
  div: 0xe7,
  min: 0xe8,
  max: 0xe9,
  pseudoMax: 0xeb,
} as const;
export type Simd = keyof typeof simd;

const op = {
  loop: 0x03,
  if: 0x04,
  end: 0x0b,
  brIf: 0x0d,
  select: 0x1b,
  localGet: 0x20,
  localSet: 0x21,
  i32Const: 0x41,
  i32LtU: 0x49,
  i32Add: 0x6a,
  i32Mul: 0x6c,
  i32DivU: 0x6e,
  i32RemU: 0x70,
  i32Shl: 0x74,
};
const type = { i32: 0x7f, v128: 0x7b, func: 0x60, empty: 0x40 };
/** log2 of the alignment that an access promises */
const align = { load: 4, loadSplat: 2, store: 4, scalar: 2 } as const;

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const more = rest >= 0x80;
    bytes.push((rest % 0x80) | (more ? 0x80 : 0));
    rest = Math.floor(rest / 0x80);
  } while (rest > 0);
  return bytes;
}

/** Signed LEB128 of a 32-bit value that is meant as unsigned. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && !(byte & 0x40)) || (rest === -1 && byte & 0x40)) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}

const text = (value: string): number[] => [...unsigned(value.length), ...new TextEncoder().encode(value)];
const vector = (items: readonly number[][]): number[] => [...unsigned(items.length), ...items.flat()];
const section = (id: number, content: readonly number[]): number[] => [id, ...unsigned(content.length), ...content];

/** A value on the stack that was stored in a local: the number of that local. */
export type Local = number;

/**
 * The arguments, the byte offset that loops count and where they end, a block and the last, the end of a row, where a row is written
 * to, what is left of its number; all other locals are v128.
 */
const [part, parts, counter, end, block, lastBlock, rowEnd, target, rest] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
const numbered = 9;

/**
 * Where rows are written whose order differs from that in which they are read: digits of the row's number, the last digit first, with so
 * many bytes for each unit. The first digit has no bound.
 */
export interface RowTarget {
  readonly digits: readonly { readonly below: number; readonly bytes: number }[];
  readonly first: number;
  /** bytes from one step of a row to the next */
  readonly step: number;
}

/** What the body of a loop over rows reads and writes, at addresses for the first row. */
export interface RowAccess {
  wide(address: number): Local;
  narrow(address: number): Local;
  /** where `wide` reads, or at the row's target */
  store(address: number, value: Local): void;
}

/** What loops are split by: no two parts touch the same line of a cache. */
export const lineBytes = 64;

export class UpdateFunction {
  readonly #code: number[] = [];
  #locals = numbered;

  /** Pushes the operands, runs the instruction, keeps its result. */
  compute(instruction: Simd, ...operands: readonly Local[]): Local {
    for (const operand of operands) this.#code.push(op.localGet, ...unsigned(operand));
    this.#code.push(0xfd, ...unsigned(simd[instruction]));
    return this.#keep();
  }

  /** Shifts each lane as an integer by so many bits. */
  shift(instruction: 'shiftLeft' | 'shiftRight', value: Local, bits: number): Local {
    this.#code.push(
      op.localGet,
      ...unsigned(value),
      op.i32Const,
      ...signed(bits),
      0xfd,
      ...unsigned(simd[instruction]),
    );
    return this.#keep();
  }

  /** A local without a value. */
  variable(): Local {
    return this.#locals++;
  }

  /** Gives a local another value: what a loop carries on. */
  assign(local: Local, value: Local): void {
    this.#code.push(op.localGet, ...unsigned(value), op.localSet, ...unsigned(local));
  }

  /** A number in all four lanes. */
  constant(value: number): Local {
    return this.#lanes(new Uint8Array(Float32Array.of(value).buffer));
  }

  /** The bits of an integer in all four lanes. */
  integer(value: number): Local {
    return this.#lanes(new Uint8Array(Int32Array.of(value).buffer));
  }

  #lanes(bytes: Uint8Array): Local {
    const lane = [...bytes];
    this.#code.push(0xfd, ...unsigned(simd.constant), ...lane, ...lane, ...lane, ...lane);
    return this.#keep();
  }

  /** The float at an address, in all four lanes. */
  scalar(address: number): Local {
    this.#code.push(op.i32Const, 0, 0xfd, ...unsigned(simd.loadSplat), align.loadSplat, ...unsigned(address));
    return this.#keep();
  }

  /** Four floats at an address plus the counter of the loop. */
  load(address: number): Local {
    return this.#loadFrom(counter, address, align.load);
  }

  #loadFrom(base: number, address: number, alignment: number): Local {
    this.#code.push(op.localGet, base, 0xfd, ...unsigned(simd.load), alignment, ...unsigned(address));
    return this.#keep();
  }

  /** Four of the eight lanes of two values: 0 to 3 of the first, 4 to 7 of the second. */
  shuffle(a: Local, b: Local, lanes: readonly [number, number, number, number]): Local {
    this.#code.push(op.localGet, ...unsigned(a), op.localGet, ...unsigned(b), 0xfd, ...unsigned(simd.shuffle));
    for (const lane of lanes) for (let byte = 0; byte < 4; byte++) this.#code.push(4 * lane + byte);
    return this.#keep();
  }

  store(address: number, value: Local): void {
    this.#storeTo(address, value, align.store);
  }

  #storeTo(address: number, value: Local, alignment: number, base: number = counter): void {
    this.#code.push(op.localGet, base, op.localGet, ...unsigned(value));
    this.#code.push(0xfd, ...unsigned(simd.store), alignment, ...unsigned(address));
  }

  /** Repeats what `body` writes for the offsets 0, 16, … below `lines` lines, as far as they are in this part. */
  loop(lines: number, body: () => void): void {
    this.#ownShare(lines, counter, end, 6);
    this.#repeat(counter, end, 16, body);
  }

  /**
   * The same a line at a time (`body` may read at the offsets 0, 16, 32 and 48 from the counter), in blocks of `blockLines`
   * that each belong to one part whatever the number of parts. `before` and `after` are written around the loop of a block.
   */
  blocks(lines: number, blockLines: number, write: { before(): void; body(): void; after(): void }): void {
    this.#ownShare(Math.ceil(lines / blockLines), block, lastBlock, 0);
    this.#repeat(block, lastBlock, 1, () => {
      const blockBytes = [op.i32Const, ...signed(blockLines * lineBytes), op.i32Mul];
      this.#code.push(op.localGet, block, ...blockBytes, op.localSet, counter);
      const next = [op.localGet, block, op.i32Const, 1, op.i32Add, ...blockBytes];
      const all = [op.i32Const, ...signed(lines * lineBytes)];
      this.#code.push(...next, ...all, ...next, ...all, op.i32LtU, op.select, op.localSet, end);
      write.before();
      this.#repeat(counter, end, lineBytes, write.body);
      write.after();
    });
  }

  /**
   * Repeats what `body` writes for the rows 0, 1, … below `rows`, as far as they are in this part. It may read and write at
   * `wide` bytes a row, and read at `narrow` bytes a row.
   */
  rows(
    rows: number,
    { wide, narrow }: { readonly wide: number; readonly narrow: number },
    body: (at: RowAccess) => void,
  ): void {
    this.#ownShare(rows, block, lastBlock, 0);
    this.#repeat(block, lastBlock, 1, () => {
      this.#code.push(op.localGet, block, op.i32Const, ...signed(wide), op.i32Mul, op.localSet, counter);
      this.#code.push(op.localGet, block, op.i32Const, ...signed(narrow), op.i32Mul, op.localSet, end);
      body({
        wide: (address) => this.#loadFrom(counter, address, align.scalar),
        narrow: (address) => this.#loadFrom(end, address, align.scalar),
        store: (address, value) => this.#storeTo(address, value, align.scalar),
      });
    });
  }

  /** The same for the `count` steps of each row, that many bytes apart. */
  rowsOfSteps(
    rows: number,
    bytes: { readonly wide: number; readonly narrow: number },
    { count, wide, narrow }: { readonly count: number; readonly wide: number; readonly narrow: number },
    body: (at: RowAccess) => void,
    to?: RowTarget,
  ): void {
    const store = (address: number, value: Local) => this.#storeTo(address, value, align.scalar, target);
    this.rows(rows, bytes, (inPlace) => {
      const at = to ? { ...inPlace, store } : inPlace;
      if (to) this.#findTarget(to);
      this.#code.push(op.localGet, counter, op.i32Const, ...signed(count * wide), op.i32Add, op.localSet, rowEnd);
      this.#repeat(counter, rowEnd, wide, () => {
        body(at);
        this.#code.push(op.localGet, end, op.i32Const, ...signed(narrow), op.i32Add, op.localSet, end);
        if (to) this.#code.push(op.localGet, target, op.i32Const, ...signed(to.step), op.i32Add, op.localSet, target);
      });
    });
  }

  /** `target` = where the row with number `block` is written. */
  #findTarget({ digits, first }: RowTarget): void {
    this.#code.push(op.i32Const, 0, op.localSet, target, op.localGet, block, op.localSet, rest);
    const addToTarget = [op.i32Mul, op.localGet, target, op.i32Add, op.localSet, target];
    for (const { below, bytes } of digits) {
      const count = [op.i32Const, ...signed(below)];
      this.#code.push(op.localGet, rest, ...count, op.i32RemU, op.i32Const, ...signed(bytes), ...addToTarget);
      this.#code.push(op.localGet, rest, ...count, op.i32DivU, op.localSet, rest);
    }
    this.#code.push(op.localGet, rest, op.i32Const, ...signed(first), ...addToTarget);
  }

  /** Stores at an address plus so many bytes for each block before this one. */
  storeForBlock(address: number, blockBytes: number, value: Local): void {
    this.#code.push(op.localGet, block, op.i32Const, ...signed(blockBytes), op.i32Mul, op.localGet, ...unsigned(value));
    this.#code.push(0xfd, ...unsigned(simd.store), align.store, ...unsigned(address));
  }

  /** `from` = count · part / parts and `to` = count · (part + 1) / parts, both shifted left. */
  #ownShare(count: number, from: number, to: number, bits: number): void {
    const shift = bits > 0 ? [op.i32Const, bits, op.i32Shl] : [];
    const border = [op.i32Const, ...signed(count), op.i32Mul, op.localGet, parts, op.i32DivU, ...shift];
    this.#code.push(op.localGet, part, ...border, op.localSet, from);
    this.#code.push(op.localGet, part, op.i32Const, 1, op.i32Add, ...border, op.localSet, to);
  }

  /** Repeats `body` while `index` is below `to`. */
  #repeat(index: number, to: number, step: number, body: () => void): void {
    const below = [op.localGet, index, op.localGet, to, op.i32LtU];
    this.#code.push(...below, op.if, type.empty, op.loop, type.empty);
    body();
    this.#code.push(op.localGet, index, op.i32Const, ...signed(step), op.i32Add, op.localSet, index);
    this.#code.push(...below, op.brIf, 0, op.end, op.end);
  }

  #keep(): Local {
    const local = this.#locals++;
    this.#code.push(op.localSet, ...unsigned(local));
    return local;
  }

  /** Locals and code, as the code section holds them. */
  body(): number[] {
    const locals = [
      [numbered - 2, type.i32],
      [...unsigned(this.#locals - numbered), type.v128],
    ];
    const body = [...vector(locals), ...this.#code, op.end];
    return [...unsigned(body.length), ...body];
  }
}

/** A module that imports `memory` of so many pages from `host` and exports functions (part, parts) by name. */
export function moduleOf(
  functions: Readonly<Record<string, UpdateFunction>>,
  memoryPages: number,
  shared: boolean,
): Uint8Array {
  const names = Object.keys(functions);
  const memory = [0x02, shared ? 0x03 : 0x01, ...unsigned(memoryPages), ...unsigned(memoryPages)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector([[type.func, 2, type.i32, type.i32, 0]])),
    ...section(2, vector([[...text('host'), ...text('memory'), ...memory]])),
    ...section(3, vector(names.map(() => [0]))),
    ...section(7, vector(names.map((name, i) => [...text(name), 0x00, ...unsigned(i)]))),
    ...section(10, vector(Object.values(functions).map((one) => one.body()))),
  ]);
}
