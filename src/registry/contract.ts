/** What the registry takes and gives besides manifests. */

import type { BlobSource } from '../store/contract.ts';
import type { FileEntry, ManifestMeta } from './manifest.ts';

export interface Publication {
  /** by file name, such as encoder.onnx */
  readonly files: Readonly<Record<string, BlobSource>>;
  readonly meta: ManifestMeta;
}

export interface DeleteOptions {
  /** although frames may still arrive */
  readonly force?: boolean;
  /** who deletes (`Caller.subject`), for the history of its aliases */
  readonly by?: string;
}

/** A file of a version that is read in pieces. It must be closed. */
export interface OpenFile {
  readonly entry: FileEntry;
  /** Throws `model-corrupt` before its last piece when the content does not equal its checksum. */
  chunks(): AsyncGenerator<Uint8Array>;
  close(): Promise<void>;
}
