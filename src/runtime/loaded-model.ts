/** The ONNX files of one model, loaded on the thread of the caller and run there. Knows nothing of threads or queues. */

import { HourglassError } from '../base/errors.ts';
import { sizeOf } from '../base/ndarray.ts';
import { allFinite, BoundChain, type ChainPart, type HereRun } from './bound-chain.ts';
import { type Port, Session, type SessionOptions } from './session.ts';
import type { ModelParts, ModelShapes, RunRequest, RunResult } from './thread-protocol.ts';

/** Rows of a run in memory that is kept. */
const boundRows = 64;

export class LoadedModel {
  readonly #parts = new Map<string, ChainPart>();
  readonly #chains = new Map<readonly string[], BoundChain>();

  /** Blocks while ONNX Runtime optimises the graphs. Throws `model-corrupt`. */
  static load(files: ModelParts, options: SessionOptions): LoadedModel {
    const model = new LoadedModel();
    try {
      for (const [name, bytes] of Object.entries(files)) model.#parts.set(name, loadPart(name, bytes, options));
    } catch (error) {
      model.dispose();
      throw error;
    }
    return model;
  }

  get shapes(): ModelShapes {
    return Object.fromEntries(
      [...this.#parts].map(([name, { inputRow, outputRow }]) => [name, { input: inputRow, output: outputRow }]),
    );
  }

  /** Blocks while the parts of `chain` run one after the other. */
  run({ chain, rows, data }: Omit<RunRequest, 'model'>): RunResult {
    const start = performance.now();
    let value = data;
    for (const part of this.#partsOf(chain)) value = runPart(part, rows, value);
    return { data: value, finite: allFinite(value), seconds: (performance.now() - start) / 1000 };
  }

  /** A run of so many rows; the same array for `chain` finds the same memory again. */
  prepare(chain: readonly string[], rows: number): HereRun {
    let bound = this.#chains.get(chain);
    if (!bound) {
      bound = new BoundChain(this.#partsOf(chain), boundRows);
      this.#chains.set(chain, bound);
    }
    if (rows <= bound.mostRows) return bound.of(rows);
    const input = new Float32Array(rows * bound.inputSize);
    return { input, run: () => this.run({ chain, rows, data: input }) };
  }

  #partsOf(chain: readonly string[]): ChainPart[] {
    return chain.map((name) => {
      const part = this.#parts.get(name);
      if (!part) throw new Error(`the model has no ${name} here`);
      return part;
    });
  }

  dispose(): void {
    for (const { session } of this.#parts.values()) session.dispose();
    this.#parts.clear();
    this.#chains.clear();
  }
}

function loadPart(name: string, bytes: Uint8Array, options: SessionOptions): ChainPart {
  const session = Session.create(bytes, options);
  try {
    const [input, output] = [session.inputs[0], session.outputs[0]];
    if (session.inputs.length !== 1 || !input || !output) throw unfit(name, 'it must have one input and an output');
    const [inputRow, outputRow] = [rowOf(name, input), rowOf(name, output)];
    const names = { inputName: input.name, outputName: output.name };
    const sizes = { inputSize: sizeOf(inputRow), outputSize: sizeOf(outputRow) };
    const part = { session, ...names, inputRow, outputRow, ...sizes };
    // The first run allocates memory: do it now, so that no request waits for it.
    runPart(part, 1, new Float32Array(sizeOf(inputRow)));
    return part;
  } catch (error) {
    session.dispose();
    throw error;
  }
}

/** A row's shape of a port [batch, …row]. */
function rowOf(part: string, { name, dtype, shape }: Port): number[] {
  const [batch, ...row] = shape;
  if (dtype !== 'float32') throw unfit(part, `${name} must be float32, it is ${dtype}`);
  if (typeof batch !== 'string') throw unfit(part, `the first dimension of ${name} must be a batch of any size`);
  return row.map((dim) => {
    if (typeof dim === 'string') throw unfit(part, `${name} must have rows of a fixed shape`);
    return dim;
  });
}

const unfit = (part: string, what: string): HourglassError =>
  new HourglassError('model-corrupt', `The model's ${part} cannot be served: ${what}.`);

function runPart(part: ChainPart, rows: number, data: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const out = new Float32Array(rows * part.outputSize);
  part.session.runSync(
    { [part.inputName]: { dtype: 'float32', shape: [rows, ...part.inputRow], data } },
    { [part.outputName]: { dtype: 'float32', shape: [rows, ...part.outputRow], data: out } },
  );
  return out;
}
