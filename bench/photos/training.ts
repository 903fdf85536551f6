/** Trains a codec for pictures for the bench. With a folder to keep it in, a training that was stopped goes on there. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PictureCodec } from '../../src/codec/picture/picture-codec.ts';
import { pictureCodecFromBytes, pictureCodecToBytes } from '../../src/codec/picture/picture-codec-bytes.ts';
import type { Raster } from '../../src/codec/picture/transform.ts';
import { picturesInMemory } from '../../src/data/pictures.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import type { JobSpec } from '../../src/jobspec/job.ts';
import type { ModelOf } from '../../src/jobspec/model.ts';
import { FolderCheckpoints } from '../../src/store/folder/jobs.ts';
import { dividePictures } from '../../src/train/picture/crop-phase.ts';
import { fitCodec } from '../../src/train/picture/fit-codec.ts';
import { trainPicture } from '../../src/train/picture/job.ts';

interface Spent {
  readonly seconds: number;
  /** of all threads */
  readonly processorSeconds: number;
}

export interface Kept {
  readonly codec: Uint8Array;
  readonly decoder: Uint8Array;
  readonly facts: {
    readonly margin: number;
    readonly trainSeconds: number;
    readonly macPerPixel: number;
    readonly epochs: number;
    readonly crops: number;
    readonly model: ModelOf<'picture'>;
  } & Spent;
}

export function kept(folder: string): Kept | undefined {
  if (!existsSync(path.join(folder, 'facts.json'))) return undefined;
  const read = (name: string) => readFileSync(path.join(folder, name));
  return { codec: read('codec.bin'), decoder: read('decoder.onnx'), facts: JSON.parse(read('facts.json').toString()) };
}

export interface TrainOptions {
  readonly spec: JobSpec;
  readonly threads: number;
  readonly keep: string | undefined;
}

export async function train(rasters: readonly Raster[], { spec, threads, keep }: TrainOptions): Promise<Kept> {
  console.log(`${rasters.length} pictures to train on`);
  const fileOf = (name: string): string => path.join(keep as string, name);
  if (keep) mkdirSync(keep, { recursive: true });
  const before: Spent =
    keep && existsSync(fileOf('spent.json'))
      ? JSON.parse(readFileSync(fileOf('spent.json'), 'utf8'))
      : { seconds: 0, processorSeconds: 0 };
  const [began, used] = [performance.now(), process.cpuUsage()];
  const spent = (): Spent => {
    const { user, system } = process.cpuUsage(used);
    return {
      seconds: before.seconds + (performance.now() - began) / 1000,
      processorSeconds: before.processorSeconds + (user + system) / 1e6,
    };
  };
  const note = (): void => {
    if (keep) writeFileSync(fileOf('spent.json'), JSON.stringify(spent()));
  };
  const end = (): void => {
    note();
    process.exit(143);
  };
  process.once('SIGTERM', end);

  const pictures = picturesInMemory(rasters, 3);
  const model = spec.model as ModelOf<'picture'>;
  let codec: PictureCodec;
  if (keep && existsSync(fileOf('codec.bin'))) codec = pictureCodecFromBytes(readFileSync(fileOf('codec.bin')));
  else {
    codec = await fitCodec(dividePictures(pictures, spec.training).pictures);
    console.log('codec fitted', spent());
    if (keep) writeFileSync(fileOf('codec.bin'), pictureCodecToBytes(codec));
    note();
  }
  const engine = createOnnxEngine({ threads });
  const trained = await trainPicture({
    ...{ spec, model, pictures, codec, engine },
    ...(keep && { checkpoints: new FolderCheckpoints(fileOf('checkpoints')) }),
    dataset: {
      info: {
        ...{ name: 'photos', hash: '', shape: [1, 1, 3], range: [0, 1], scaling: { divisor: 255 } },
        ...{ rows: { train: rasters.length, test: 0 }, warnings: [], builtIn: false },
      },
    },
    onCheckpoint: note,
    onEpoch: ({ epoch, metrics }) => console.log(epoch + 1, metrics, Math.round(spent().processorSeconds)),
    log: console.log,
  });
  await engine.dispose();
  process.off('SIGTERM', end);
  const made: Kept = {
    codec: pictureCodecToBytes(trained.codec),
    decoder: trained.decoder,
    facts: {
      ...spent(),
      ...{ margin: trained.margin, model, epochs: spec.training.epochs, crops: model.crops },
      trainSeconds: trained.metrics['train.seconds'] ?? 0,
      macPerPixel: trained.metrics['decoder.macPerPixel'] ?? 0,
    },
  };
  if (keep) {
    writeFileSync(fileOf('decoder.onnx'), made.decoder);
    writeFileSync(fileOf('facts.json'), JSON.stringify(made.facts));
  }
  return made;
}
