/** One model version as it is served: its ONNX files in the pool, checked against the manifest, a lane per operation. */

import { defaultTenant } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import { sizeOf } from '../base/ndarray.ts';
import type { Manifest, Operation } from '../registry/manifest.ts';
import type { Registry } from '../registry/registry.ts';
import type { ModelPool, ModelShapes, ModelSource } from '../runtime/pool.ts';
import type { LaneRun } from './batcher.ts';
import type { HereLane } from './turn-batcher.ts';

type Part = 'encoder' | 'decoder' | 'classifier' | 'outliers' | 'recommender' | 'translator';

/** Which files answer an operation, one after the other. */
const chains: Readonly<Record<Operation, readonly Part[]>> = {
  encode: ['encoder'],
  decode: ['decoder'],
  denoise: ['encoder', 'decoder'],
  reconstruct: ['encoder', 'decoder'],
  classify: ['classifier'],
  generate: ['decoder'],
  outliers: ['outliers'],
  recommend: ['recommender'],
  analyse: ['encoder'],
  series: ['encoder', 'decoder'],
  translate: ['translator'],
};

const fileOf = (part: Part): string => `${part}.onnx`;

/** Files of this size load in some milliseconds, during which the event loop stands still. */
const mostBytesHere = 4 * 2 ** 20;
/** A run of one row that takes longer goes to a thread, where the way there and back does not matter any more. */
const shortRunSeconds = 300e-6;
const timings = 5;
const timedRows = 16;

export interface ServedLane extends HereLane {
  readonly model: ServedModel;
  readonly operation: Operation;
  /** its runs are short enough for the event loop */
  isShort: boolean;
}

export class ServedModel {
  readonly manifest: Manifest;
  /** `digits@2` */
  readonly key: string;
  readonly #pool: ModelPool;
  readonly #source: ModelSource;
  readonly #lanes = new Map<Operation, ServedLane>();

  private constructor(manifest: Manifest, registry: Registry, pool: ModelPool) {
    this.manifest = manifest;
    this.key = `${manifest.name}@${manifest.version}`;
    this.#pool = pool;
    const files = manifest.files.filter(({ path }) => path.endsWith('.onnx'));
    this.#source = {
      key: poolKeyOf(registry, manifest),
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
      async read() {
        const parts = files.map(async ({ path }) => [
          path.slice(0, -'.onnx'.length),
          await registry.readFile(manifest, path),
        ]);
        return Object.fromEntries(await Promise.all(parts));
      },
    };
  }

  /**
   * Brings a version into memory and tries it. Throws `model-corrupt` when a file is damaged or missing, has other shapes
   * than the manifest says, or answers an ordinary row with numbers that are not finite.
   */
  static async load(manifest: Manifest, registry: Registry, pool: ModelPool): Promise<ServedModel> {
    const model = new ServedModel(manifest, registry, pool);
    const shapes = await pool.load(model.#source);
    for (const operation of manifest.operations) {
      model.#checkShapes(operation, shapes);
      const lane = model.#openLane(operation);
      const { finite } = await lane.run(model.#ordinaryRow(operation), 1);
      if (!finite) throw model.damaged(`its answers to ${operation} are not finite numbers`);
      await model.#time(lane);
    }
    const lanes = [...model.#lanes.values()];
    if (lanes.some((lane) => lane.isShort)) await pool.loadHere(model.#source);
    // Runs of such a model come to a thread once in a while only: one thread for them, the others load it when they are needed.
    if (!lanes.every((lane) => lane.isShort)) await pool.loadEverywhere(model.#source);
    return model;
  }

  /** Throws `operation-not-supported`. */
  lane(operation: Operation): ServedLane {
    const lane = this.#lanes.get(operation);
    if (lane) return lane;
    throw operationError(this.manifest, operation);
  }

  damaged(how: string): HourglassError {
    return new HourglassError('model-corrupt', `${this.key} cannot be served: ${how}. Use another version.`);
  }

  /** Measures a run in a thread, where it holds up nobody. The shortest of several: the others were disturbed. */
  async #time(lane: ServedLane): Promise<void> {
    if (this.#source.bytes > mostBytesHere) return;
    const run = async (rows: number): Promise<number> => {
      const row = this.#ordinaryRow(lane.operation);
      const data = new Float32Array(rows * row.length);
      for (let i = 0; i < rows; i++) data.set(row, i * row.length);
      return (await lane.run(data, rows)).seconds;
    };
    let [one, several] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let i = 0; i < timings; i++) {
      one = Math.min(one, await run(1));
      if (one > 10 * shortRunSeconds) return;
      several = Math.min(several, await run(timedRows));
    }
    lane.secondsPerRow = several / timedRows;
    lane.isShort = one <= shortRunSeconds;
  }

  #checkShapes(operation: Operation, shapes: ModelShapes): void {
    let row = sizeOf(inputShapeOf(this.manifest, operation));
    for (const part of chains[operation]) {
      const shape = shapes[part];
      if (!shape) throw this.damaged(`it has no ${fileOf(part)}`);
      if (sizeOf(shape.input) !== row)
        throw this.damaged(`its ${part} takes rows of another size than its manifest says`);
      row = sizeOf(shape.output);
    }
    if (row !== sizeOf(outputShapeOf(this.manifest, operation))) {
      throw this.damaged(`it answers ${operation} with rows of another size than its manifest says`);
    }
  }

  #openLane(operation: Operation): ServedLane {
    const lane: ServedLane = {
      model: this,
      operation,
      inputSize: sizeOf(inputShapeOf(this.manifest, operation)),
      outputSize: sizeOf(outputShapeOf(this.manifest, operation)),
      run: (data, rows): Promise<LaneRun> => this.#pool.run(this.#source, { chain: chains[operation], rows, data }),
      prepareHere: (rows) => {
        const run = this.#pool.prepareHere(this.#source, chains[operation], rows);
        // Dropped to make room for others: the next runs go to the threads until it is here again.
        if (!run) void this.#pool.loadHere(this.#source).catch(() => {});
        return run;
      },
      secondsPerRow: Number.POSITIVE_INFINITY,
      isShort: false,
    };
    this.#lanes.set(operation, lane);
    return lane;
  }

  /** The middle of the range that the model was trained on; the zero code. */
  #ordinaryRow(operation: Operation): Float32Array<ArrayBuffer> {
    const [low, high] = this.manifest.inputRange;
    const row = new Float32Array(sizeOf(inputShapeOf(this.manifest, operation)));
    return takesCodes(operation) ? row : row.fill((low + high) / 2);
  }
}

/** What a version is called in the pool that all tenants share. */
export function poolKeyOf(registry: Registry, manifest: Manifest): string {
  const key = `${manifest.name}@${manifest.version}`;
  const owner = registry.ownerOf(manifest);
  return owner === defaultTenant ? key : `${owner}/${key}`;
}

export const takesCodes = (operation: Operation): boolean => operation === 'decode' || operation === 'generate';

export function inputShapeOf({ inputShape, codeShape }: Manifest, operation: Operation): readonly number[] {
  return takesCodes(operation) ? codeShape : inputShape;
}

/** Of one row of the answer; [] is a single number. */
export function outputShapeOf(manifest: Manifest, operation: Operation): readonly number[] {
  const { inputShape, codeShape, classes = [], translates } = manifest;
  switch (operation) {
    case 'encode':
    case 'analyse':
      return codeShape;
    case 'decode':
    case 'denoise':
    case 'reconstruct':
    case 'generate':
    case 'recommend':
    case 'series':
      return inputShape;
    case 'classify':
      return [classes.length];
    case 'outliers':
      return [];
    case 'translate':
      return [translates?.beams ?? 1, (translates?.symbols ?? 0) + 1];
    default:
      return operation satisfies never;
  }
}

/** Undefined when the version answers rows; else a refusal that says what it takes instead. */
export function pictureError(
  { name, version, picture, restorer }: Manifest,
  found = 'rows',
): HourglassError | undefined {
  if (picture) {
    return new HourglassError(
      'operation-not-supported',
      `${name}@${version} is a codec for pictures of any size, not for rows: POST a picture to /v1/models/${name}/encode with Accept: application/vnd.hourglass.frame, and frames to /decode.`,
      { expected: ['encode a picture to a frame', 'decode a frame'], found },
    );
  }
  if (!restorer) return undefined;
  return new HourglassError(
    'operation-not-supported',
    `${name}@${version} restores pictures of any size, it takes no rows: POST a picture to /v1/models/${name}/denoise.`,
    { expected: ['denoise a picture'], found },
  );
}

export function operationError(manifest: Manifest, operation: Operation): HourglassError {
  const { name, version, operations } = manifest;
  return (
    pictureError(manifest, operation) ??
    new HourglassError(
      'operation-not-supported',
      `${name}@${version} does not answer ${operation}; it answers ${operations.join(', ')}.`,
      { expected: operations, found: operation },
    )
  );
}
