// A codec for pictures whose network has learnt nothing yet, so that decoding is the transposed transform alone: quick to make, with all files
// that a published version has.
import { buildPictureBundle } from '../../../src/bundle/picture.ts';
import type { PictureChannels } from '../../../src/codec/picture/picture-codec.ts';
import { coefficientsOf, pixelOffset } from '../../../src/codec/picture/picture-codec.ts';
import { synthesisOf } from '../../../src/codec/picture/synthesis.ts';
import { picturesInMemory } from '../../../src/data/pictures.ts';
import { exportPictureOnnx } from '../../../src/engine/export.ts';
import { initialise } from '../../../src/models/parameters.ts';
import { PictureDecoder, pictureDecoderFunction } from '../../../src/models/picture-decoder.ts';
import type { Publication } from '../../../src/registry/registry.ts';
import { metaOf } from '../../serve/serving.ts';
import { fittedProfile, picture } from './pictures.ts';

export async function untrainedCodec(name: string, channels: PictureChannels): Promise<Publication> {
  const { codec } = fittedProfile(channels, [32]);
  const network = new PictureDecoder({ channels, coefficients: coefficientsOf(codec), maps: 8, layers: 1 });
  const synthesis = synthesisOf(codec);
  const fn = pictureDecoderFunction(network, initialise(network.parameters, 1), synthesis, pixelOffset);
  const decoder = exportPictureOnnx(fn, { producer: 'test', version: '0' });
  const pictures = picturesInMemory([picture(70, 64, 48, channels)], channels);
  const { margin } = network;
  const { files, hash, qualities } = await buildPictureBundle({ name, codec, decoder, margin, pictures });
  const facts = { operations: [], picture: { hash, channels, margin, qualities: [...qualities] } };
  return { files: { ...files, 'decoder.onnx': decoder }, meta: metaOf(`job of ${name}`, facts) };
}
