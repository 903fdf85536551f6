// Encoders with weights of one byte: any runtime takes them, they are small, and the manifest says truly what they cost.
import { describe, expect, it } from 'vitest';
import { float32 } from '../../src/base/ndarray.ts';
import { buildBundle } from '../../src/bundle/bundle.ts';
import { openCoder } from '../../src/bundle/coder.ts';
import { int8Encoder } from '../../src/bundle/int8.ts';
import { quantise } from '../../src/codec/profile.ts';
import { profileFromBytes } from '../../src/codec/profile-bytes.ts';
import { Session } from '../../src/runtime/session.ts';
import { openBuiltIn } from '../../src/sdk/built-in-runtime.ts';
import { cosines } from '../helpers/onnx-models.ts';
import { architectures, encoderFile, someDigits } from '../sdk/encoders.ts';
import { digits } from '../train/digits.ts';
import { filesOf } from './archive.ts';

const inputShape = [28, 28, 1];

function served(file: Uint8Array, rows: Float32Array): Float32Array {
  const session = Session.create(file);
  try {
    return session.runSync({ x: float32([rows.length / 784, ...inputShape], rows) }).z?.data as Float32Array;
  } finally {
    session.dispose();
  }
}

describe('weights of one byte', () => {
  it.each(['linear', 'dense, tanh', 'convolutional, batch norm', 'convolutional, stride'])(
    'of %s give nearly its codes, the same in ONNX Runtime and built in',
    async (name) => {
      const { file } = encoderFile(architectures[name] as object);
      const small = int8Encoder(file) as Uint8Array;
      expect(int8Encoder(file)).toEqual(small);
      expect(small.length).toBeLessThan(0.45 * file.length);
      const rows = await someDigits();
      const [exact, codes] = [served(file, rows), served(small, rows)];
      const scale = Math.max(...exact.map(Math.abs));
      const worst = Math.max(...codes.map((z, i) => Math.abs(z - (exact[i] as number))));
      expect(worst).toBeGreaterThan(0);
      expect(worst).toBeLessThan(0.03 * scale);
      const builtIn = await openBuiltIn(small, inputShape)?.(rows, 8);
      for (const [i, z] of codes.entries())
        expect(Math.abs(z - (builtIn?.[i] ?? Number.NaN))).toBeLessThan(3e-6 * scale);
    },
  );

  it('are left out where there is nothing to gain', () => {
    expect(int8Encoder(new Uint8Array())).toBeUndefined();
  });

  it('come with what they cost, as measured on rows that nothing was fitted on', async () => {
    const dataset = digits({ train: 1200, test: 300, small: true });
    const model = cosines(14, 24);
    const shapes = { inputShape: [196], codeShape: [24], name: 'digits' };
    const [encoder, decoder] = [model['encoder.onnx'], model['decoder.onnx']];
    const { files } = await buildBundle({ ...shapes, encoder, decoder, dataset });
    const inside = await filesOf(files['bundle.tar']);
    const manifest = JSON.parse(Buffer.from(inside['manifest.json'] ?? []).toString());
    const [variant] = manifest.variants;
    expect(variant).toMatchObject({ weights: 'int8', encoder: 'encoder.int8.onnx', golden: 'golden.int8.json' });
    expect(manifest.files.map(({ path }: { path: string }) => path)).toEqual(expect.arrayContaining([variant.encoder]));
    const rows = new Float32Array(300 * 196);
    await dataset.split('test').readRange(0, 300, rows);
    const { qualities } = profileFromBytes(files['codec.bin']);
    const [exact, small] = [encoder, inside['encoder.int8.onnx'] as Uint8Array].map((file) =>
      openCoder({ ...shapes, encoder: file, decoder }),
    );
    try {
      const [a, b] = [await exact?.encode(rows), await small?.encode(rows)] as [Float32Array, Float32Array];
      for (const [i, quality] of qualities.entries()) {
        const [wanted, found] = [quantise(quality, a), quantise(quality, b)];
        const share = found.filter((symbol, k) => symbol === wanted[k]).length / found.length;
        expect(Math.abs(share - variant.qualities[i].equalSymbols)).toBeLessThan(0.01);
        expect(Math.abs(variant.qualities[i].psnr - manifest.qualities[i].psnr)).toBeLessThan(0.2);
      }
      expect(variant.qualities.at(-1).equalSymbols).toBeLessThan(1);
    } finally {
      exact?.dispose();
      small?.dispose();
    }
  });
});
