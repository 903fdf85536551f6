/**
 * What every executable does around its numbers: it checks names, types and shapes of what it is given, refuses work after it
 * was disposed, and is disposed once. How steps are run and where state lies is the subclass's.
 */

import type { NdArrays } from '../base/ndarray.ts';
import type { Executable, MemoryReport, Program } from './engine.ts';
import { checkArrays, checkFeeds } from './tensor-checks.ts';

export abstract class CheckedExecutable implements Executable {
  protected readonly program: Program;
  readonly #onDispose: () => void;
  #disposed = false;

  constructor(program: Program, onDispose: () => void) {
    this.program = program;
    this.#onDispose = onDispose;
  }

  async run(feeds: NdArrays, steps?: number): Promise<NdArrays> {
    this.#checkAlive();
    return this.runSteps(feeds, checkFeeds(this.program, feeds, steps));
  }

  async setState(state: NdArrays): Promise<void> {
    this.#checkAlive();
    checkArrays('state', this.program.state, state);
    this.writeState(state);
  }

  async getState(): Promise<NdArrays> {
    this.#checkAlive();
    return this.readState();
  }

  async setConstants(constants: NdArrays): Promise<void> {
    this.#checkAlive();
    checkArrays('constants', this.program.constants, constants);
    this.writeConstants(constants);
  }

  abstract memory(): MemoryReport;

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.release();
    this.#onDispose();
  }

  /** Runs `count` steps; every feed has them as its leading axis. */
  protected abstract runSteps(feeds: NdArrays, count: number): Promise<NdArrays>;
  protected abstract writeState(state: NdArrays): void;
  /** A copy, which later steps leave alone. */
  protected abstract readState(): NdArrays | Promise<NdArrays>;
  protected abstract writeConstants(constants: NdArrays): void;
  protected abstract release(): void | Promise<void>;

  #checkAlive(): void {
    if (this.#disposed) throw new Error(`The executable of ${this.program.name} was disposed.`);
  }
}
