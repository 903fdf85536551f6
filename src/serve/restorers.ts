/** Models that restore pictures of any size, for every transport: a picture in, a picture without noise or holes out. */

import type { Raster } from '../codec/picture/transform.ts';
import type { Manifest, RestorerFacts } from '../registry/manifest.ts';
import type { Registry } from '../registry/registry.ts';
import type { RestorerFiles } from './picture-thread.ts';
import { PictureWorker } from './picture-worker.ts';
import type { Predictor } from './predictor.ts';
import { charged, type RowQuota } from './row-quota.ts';
import { poolKeyOf } from './served-model.ts';
import { type Asked, askWorkingVersion } from './working-version.ts';

export type RestorerManifest = Manifest & { readonly restorer: RestorerFacts };

export const isRestorer = (manifest: Manifest): manifest is RestorerManifest => manifest.restorer !== undefined;

export interface Restored {
  readonly model: string;
  readonly version: number;
  readonly raster: Raster;
}

/** A picture; with `holes`, of each pixel 1 where it is missing. */
export interface Damaged {
  readonly raster: Raster;
  readonly holes?: Uint8Array;
}

export interface PictureRestorersOptions {
  readonly registry: Registry;
  readonly predictor: Predictor;
  /** restorers of another tenant, with which it shares a thread */
  readonly others?: PictureRestorers;
  /** of which a picture takes one row; absent: as many as can be restored */
  readonly quota?: RowQuota | undefined;
}

export class PictureRestorers {
  readonly #registry: Registry;
  readonly #predictor: Predictor;
  readonly #worker: PictureWorker;
  readonly #quota: RowQuota | undefined;

  constructor({ registry, predictor, others, quota }: PictureRestorersOptions) {
    this.#registry = registry;
    this.#predictor = predictor;
    this.#quota = quota;
    // Apart from the codecs' thread: a large picture takes a network many seconds.
    this.#worker = others ? others.#worker : new PictureWorker();
  }

  /** The version that a reference means, when it restores pictures. Throws what `Predictor.versionOf` throws. */
  async find(
    caller: Asked<RestorerManifest>['caller'],
    model: string | undefined,
  ): Promise<RestorerManifest | undefined> {
    const manifest = await this.#predictor.versionOf(caller, model);
    return isRestorer(manifest) ? manifest : undefined;
  }

  /** `read`: the picture as that version takes it. Throws `overloaded`, `quota-exceeded`, `model-corrupt`, and what `read` throws. */
  restore(asked: Asked<RestorerManifest>, read: (facts: RestorerFacts) => Promise<Damaged>): Promise<Restored> {
    const restore = async (manifest: RestorerManifest): Promise<Restored> => {
      const { name: model, version, restorer } = manifest;
      const task = { type: 'restore', ...(await read(restorer)) } as const;
      const key = `${poolKeyOf(this.#registry, manifest)}/${manifest.createdAt}`;
      const reply = await this.#worker.run(key, task, () => this.#files(manifest), asked.demand);
      if (reply.type !== 'restored') throw new Error('a picture to restore was coded');
      return { model, version, raster: reply.raster };
    };
    return charged(this.#quota, 1, () => askWorkingVersion(this.#predictor, asked, isRestorer, restore));
  }

  close(): Promise<void> {
    return this.#worker.close();
  }

  async #files(manifest: RestorerManifest): Promise<RestorerFiles> {
    const restorer = await this.#registry.readFile(manifest, 'restorer.onnx');
    return { type: 'restorer', restorer, shape: manifest.restorer };
  }
}
