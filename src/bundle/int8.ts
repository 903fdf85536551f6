/**
 * The same encoder with weights of one byte: int8 with a scale for each output channel, and two nodes that multiply them back
 * when the file is loaded. Values and biases stay float32.
 *
 *   W float32 [in, out]   ⇒   q int8 [in, out] ─► Cast ─► Mul by scale [out] ─► W
 *
 * Not DequantizeLinear: runtimes fuse it with what follows into kernels that also round the values, each in its own way, and
 * devices must get the same symbols.
 */

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  type GraphProto,
  ModelProtoSchema,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from '../gen/onnx/onnx_pb.ts';

const [float32Type, int8Type, intAttribute] = [1, 3, 2];
const toFloat32 = create(AttributeProtoSchema, { name: 'to', type: intAttribute, i: BigInt(float32Type) });
const largest = 127;
/** Smaller weights would grow by their scales and names. */
const leastWeights = 256;
/** Operators whose second input, or only input, is a weight with its output channels last. */
const takesWeights = new Set(['Gemm', 'MatMul', 'Transpose']);

/** The same file gives the same bytes. Undefined when nothing in it is worth it. */
export function int8Encoder(encoder: Uint8Array): Uint8Array | undefined {
  const model = fromBinary(ModelProtoSchema, encoder);
  const { graph } = model;
  if (!graph) return undefined;
  const weights = new Set(weightsOf(graph));
  if (weights.size === 0) return undefined;
  const quantised = [...weights].map(quantiseWeight);
  graph.initializer = [
    ...graph.initializer.filter((tensor) => !weights.has(tensor)),
    ...quantised.flatMap(({ values, scales }) => [values, scales]),
  ];
  graph.node = [
    ...quantised.flatMap(({ name, values, scales }) => [
      create(NodeProtoSchema, {
        opType: 'Cast',
        input: [values.name],
        output: [`${name}/cast`],
        attribute: [toFloat32],
      }),
      create(NodeProtoSchema, { opType: 'Mul', input: [`${name}/cast`, scales.name], output: [name] }),
    ]),
    ...graph.node,
  ];
  return toBinary(ModelProtoSchema, model);
}

function weightsOf({ node, initializer }: GraphProto): TensorProto[] {
  const used = new Set(
    node
      .filter(({ opType }) => takesWeights.has(opType))
      .flatMap(({ opType, input }) => input.slice(opType === 'Transpose' ? 0 : 1, 2)),
  );
  return initializer.filter(
    ({ name, dataType, dims, rawData }) =>
      used.has(name) && dataType === float32Type && dims.length >= 2 && rawData.length >= 4 * leastWeights,
  );
}

interface QuantisedWeight {
  /** of the weight that both together stand for */
  readonly name: string;
  readonly values: TensorProto;
  readonly scales: TensorProto;
}

function quantiseWeight({ name, dims, rawData }: TensorProto): QuantisedWeight {
  const weights = new Float32Array(rawData.slice().buffer);
  const channels = Number(dims.at(-1));
  const scales = new Float32Array(channels);
  // Plain loops over rows of channels: there are millions of weights.
  for (let at = 0; at < weights.length; at += channels) {
    for (let channel = 0; channel < channels; channel++) {
      const size = Math.abs(weights[at + channel] as number);
      if (size > (scales[channel] as number)) scales[channel] = size;
    }
  }
  for (const [channel, most] of scales.entries()) scales[channel] = most > 0 ? most / largest : 1;
  const values = new Int8Array(weights.length);
  for (let at = 0; at < weights.length; at += channels) {
    for (let channel = 0; channel < channels; channel++)
      values[at + channel] = Math.round((weights[at + channel] as number) / (scales[channel] as number));
  }
  const tensor = (suffix: string, dataType: number, shape: readonly bigint[], data: Int8Array | Float32Array) =>
    create(TensorProtoSchema, {
      name: `${name}/${suffix}`,
      dataType,
      dims: [...shape],
      rawData: new Uint8Array(data.buffer as ArrayBuffer),
    });
  return {
    name,
    values: tensor('int8', int8Type, dims, values),
    scales: tensor('scale', float32Type, [BigInt(channels)], scales),
  };
}
