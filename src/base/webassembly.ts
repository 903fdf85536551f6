/**
 * The part of the WebAssembly API that is used here, typed: neither Node's types nor a portable build bring it. Modules are
 * small and compiled where they are loaded, synchronously.
 */

export interface LinearMemory {
  readonly buffer: ArrayBuffer;
}

/** Memory that other threads can have as well. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
  readonly Memory: {
    new (limits: { initial: number; maximum: number; shared: true }): SharedMemory;
    new (limits: { initial: number; maximum: number }): LinearMemory;
  };
};

export const pageBytes = 65_536;

/** Memory of at least so many bytes, all zero. Throws RangeError beyond 4 GiB or what the machine has. */
export function linearMemory(bytes: number): LinearMemory {
  const pages = Math.ceil(bytes / pageBytes);
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}

/** The same, shared. */
export function sharedMemory(bytes: number): SharedMemory {
  const pages = Math.ceil(bytes / pageBytes);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** Compiles and instantiates; `exports` are what the caller knows to be in there. */
export const instantiate = <Exports>(bytes: Uint8Array, imports: object = {}): Exports =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports as Exports;
