// Runs an import in this thread and reads back what was stored; every folder it makes is gone afterwards.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { type ErrorCode, HourglassError } from '../../src/base/errors.ts';
import { sizeOf } from '../../src/base/ndarray.ts';
import type { SplitName, UploadPart } from '../../src/data/dataset.ts';
import { importRows } from '../../src/data/import.ts';
import { completeManifest, type DatasetManifest, manifestBytes } from '../../src/data/manifest.ts';
import { RowFile } from '../../src/data/row-file.ts';
import type { SpooledPart } from '../../src/data/spool.ts';
import { defaultUploadLimits, type UploadLimits, type UploadOptions } from '../../src/data/upload.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';

export interface Imported {
  readonly manifest: DatasetManifest;
  readonly values: Record<SplitName, Float32Array>;
  readonly labels: Record<SplitName, number[] | undefined>;
}

export type Parts = Partial<Record<UploadPart['role'], Uint8Array | string>>;

export async function importParts(
  parts: Parts | Uint8Array | string,
  options: UploadOptions = {},
  limits: Partial<UploadLimits> = {},
): Promise<Imported> {
  const given: Parts = typeof parts === 'string' || parts instanceof Uint8Array ? { rows: parts } : parts;
  const folder = await mkdtemp(path.join(tmpdir(), 'hourglass-import-'));
  try {
    const spooled: SpooledPart[] = [];
    for (const [role, content] of Object.entries(given)) {
      const bytes = Buffer.from(content);
      const file = path.join(folder, role);
      await writeFile(file, bytes);
      spooled.push({ role: role as UploadPart['role'], label: role, path: file, bytes: bytes.length });
    }
    const set = path.join(folder, 'set');
    await mkdir(set);
    const content = await importRows(set, spooled, { options, limits: { ...defaultUploadLimits, ...limits } });
    return await readBack(set, completeManifest(content));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function readBack(folder: string, manifest: DatasetManifest): Promise<Imported> {
  const values = { train: new Float32Array(), test: new Float32Array() };
  const labels: Imported['labels'] = { train: undefined, test: undefined };
  const store = new FolderDatasets(path.dirname(folder));
  await writeFile(path.join(folder, 'manifest.json'), manifestBytes(manifest));
  const set = (await store.find(path.basename(folder)))!;
  await rm(path.join(folder, 'manifest.json'));
  for (const split of ['train', 'test'] as const) {
    const file = await RowFile.open({ set, dataset: 'x', split, manifest, inMemory: true });
    values[split] = new Float32Array(file.length * sizeOf(manifest.shape));
    await file.readRange(0, file.length, values[split]);
    const numbers = await file.labels();
    labels[split] = numbers && [...numbers];
    await file.close();
  }
  expect((await readdir(folder)).sort()).toEqual(
    manifest.classNames ? ['test.labels', 'test.rows', 'train.labels', 'train.rows'] : ['test.rows', 'train.rows'],
  );
  return { manifest, values, labels };
}

/** Everything in the training split, in order. */
export const noHoldOut: UploadOptions = { testFraction: 0 };

/** The error that the promise rejects with; fails when it does not, or with anything that is not for clients. */
export async function refusal(work: Promise<unknown>, code: ErrorCode): Promise<HourglassError> {
  const thrown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(thrown instanceof HourglassError)) throw thrown ?? new Error(`nothing was refused; expected ${code}`);
  expect({ code: thrown.code, message: thrown.message }).toMatchObject({ code });
  return thrown;
}
