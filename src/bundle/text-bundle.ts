/**
 * What a version of a model of documents carries for devices: its encoder with the vocabulary whose words it counts, so that texts are
 * encoded where they are written. There are no frames: a code of bits is packed as it is.
 *
 *   bundle.tar   manifest.json · encoder.onnx · vocabulary.json · text.json
 */

import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { wordRules } from '../base/words.ts';

export interface TextBundle {
  readonly name: string;
  readonly inputShape: readonly number[];
  readonly codeShape: readonly number[];
  readonly codes: 'topics' | 'bits';
  /** by name */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

export async function buildTextBundle({ name, inputShape, codeShape, codes, files }: TextBundle): Promise<Uint8Array> {
  const manifest = {
    ...{ format: 1, kind: 'text', model: name, codes, rules: wordRules, inputShape, codeShape },
    files: Object.entries(files).map(([path, bytes]) => ({
      path,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    })),
  };
  const tar = pack();
  const whole = buffer(tar);
  const entries = { 'manifest.json': Buffer.from(JSON.stringify(manifest)), ...files };
  for (const [path, bytes] of Object.entries(entries)) {
    // a job that publishes again must give the same bytes
    tar.entry({ name: path, mtime: new Date(0) }, Buffer.from(bytes));
  }
  tar.finalize();
  return whole;
}
