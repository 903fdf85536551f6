// Data sets of one kind in a folder of their own, added without the thread that imports uploads of strangers.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import type { DatasetInfo, UploadPart } from '../../src/data/dataset.ts';
import { importRows } from '../../src/data/import.ts';
import { completeManifest, infoOf, manifestBytes } from '../../src/data/manifest.ts';
import { createDatasetStore } from '../../src/data/store.ts';
import { defaultUploadLimits, type UploadOptions } from '../../src/data/upload.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';

export type Parts = Partial<Record<UploadPart['role'], string | Uint8Array>>;

export interface Uploads {
  readonly root: string;
  readonly store: ReturnType<typeof createDatasetStore>;
  /** `options` beside those of all uploads */
  upload(parts: Parts, options?: UploadOptions): Promise<DatasetInfo>;
}

/** Removed after the tests of the file. */
export function uploads(usual: UploadOptions): Uploads {
  const root = mkdtempSync(path.join(tmpdir(), 'hourglass-uploads-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const files = new FolderDatasets(path.join(root, 'sets'));
  let count = 0;
  return {
    root,
    store: createDatasetStore({ files }),
    async upload(parts, options = {}) {
      const name = `set-${count++}`;
      const { folder, remove } = await files.workspace();
      try {
        const spooled = Object.entries(parts).map(([role, content]) => {
          const file = path.join(root, `${name}-${role}`);
          writeFileSync(file, content);
          return { role: role as UploadPart['role'], label: role, path: file, bytes: content.length };
        });
        const content = await importRows(folder, spooled, {
          options: { ...usual, ...options },
          limits: defaultUploadLimits,
        });
        const manifest = completeManifest(content);
        await files.add(name, folder, manifestBytes(manifest));
        return infoOf(name, manifest, false);
      } finally {
        await remove();
      }
    },
  };
}

/** What a refused upload says: its code and message. */
export const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'accepted',
    ({ code, message }) => `${code}: ${message}`,
  );
