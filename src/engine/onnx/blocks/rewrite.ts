/**
 * Rewrites a recorded step so that its convolutions run in blocks of channels (forms.ts). What lies between them (rectifiers, their
 * gradients, pools, enlarging) is computed in blocks as well, so that images are reordered only where blocks begin and end.
 *
 * Everything else is copied node by node. A step without convolutions that are worth it is returned as it is.
 */

import { sameShape, sizeOf } from '../../../base/ndarray.ts';
import { type Attributes, constantData, Graph, type Node, type Value } from '../graph.ts';
import type { ModelPort, RecordedStep } from '../model.ts';
import { transpose } from '../nodes.ts';
import { type ConvolutionRecord, convolutionOf } from '../ops/convolution-record.ts';
import { poolGradientOf, recordPoolGradient } from '../ops/pooling.ts';
import { sweepAttributes, sweepOf, turnedSweep } from '../ops/sweep.ts';
import {
  type Blocked,
  channelSums,
  convolve,
  filterGradient,
  onBlocks,
  toBlocks,
  toChannelsFirst,
  toChannelsLast,
} from './forms.ts';
import { isWorthBlocks, readsFewChannels } from './worth.ts';

/** Operators on images that are computed in blocks as they are: they do the same to every element, and nothing to a zero that harms. */
const elementwise: ReadonlySet<string> = new Set(['Relu', 'HardSigmoid', 'Add', 'Sub', 'Mul']);

const nodeOf = ({ source }: Value): Node | undefined => (source.kind === 'node' ? source.node : undefined);

const isSingle = (value: Value): boolean => sizeOf(value.shape) === 1;

/** The step with convolutions in blocks of so many channels. */
export function inBlocks(step: RecordedStep, block: number): RecordedStep {
  const results = [...step.next, ...step.outputs].map(({ value }) => value);
  const rewriter = new Rewriter(results, block);
  if (!rewriter.hasBlocks) return step;
  const ports = (list: readonly ModelPort[]) => list.map((port) => ({ ...port, value: rewriter.plain(port.value) }));
  return {
    name: step.name,
    state: ports(step.state),
    constants: ports(step.constants),
    feeds: ports(step.feeds),
    next: ports(step.next),
    outputs: ports(step.outputs),
  };
}

class Rewriter {
  readonly #g = new Graph();
  readonly #block: number;
  readonly #records = new Map<Value, ConvolutionRecord>();
  readonly #isBlocked = new Map<Value, boolean>();
  /** how many nodes read a value */
  readonly #readers = new Map<Value, number>();
  readonly #plain = new Map<Value, Value>();
  readonly #blocked = new Map<Value, Blocked>();

  constructor(results: readonly Value[], block: number) {
    this.#block = block;
    for (const value of results) this.#count(value);
    this.#survey(results);
  }

  get hasBlocks(): boolean {
    return this.#records.size > 0;
  }

  #count(value: Value): void {
    this.#readers.set(value, (this.#readers.get(value) ?? 0) + 1);
  }

  /** Finds the convolutions that are worth it, and counts who reads what. */
  #survey(results: readonly Value[]): void {
    const seen = new Set<Value>();
    const pending = [...results];
    for (let value = pending.pop(); value; value = pending.pop()) {
      if (seen.has(value)) continue;
      seen.add(value);
      const record = convolutionOf(value);
      if (record && isWorthBlocks(record, this.#block)) this.#records.set(value, record);
      for (const operand of this.#operands(value)) {
        this.#count(operand);
        pending.push(operand);
      }
    }
  }

  /** What a value is computed from. */
  #operands(value: Value): readonly Value[] {
    const record = this.#records.get(value);
    if (record?.kind === 'filter') return [record.x, record.dy];
    if (record)
      return [record.image, record.filter, ...(record.kind === 'forward' && record.bias ? [record.bias] : [])];
    const pooled = poolGradientOf(value);
    if (pooled) return [pooled.dy, pooled.input];
    return nodeOf(value)?.inputs.filter((input) => input !== undefined) ?? [];
  }

  /** Whether an NCHW image is computed in blocks. */
  #inBlocks(value: Value): boolean {
    const known = this.#isBlocked.get(value);
    if (known !== undefined) return known;
    const found = this.#decide(value);
    this.#isBlocked.set(value, found);
    return found;
  }

  #decide(value: Value): boolean {
    if (value.type !== 'float32' || value.shape.length !== 4) return false;
    const record = this.#records.get(value);
    if (record) return record.kind !== 'filter';
    const pooled = poolGradientOf(value);
    if (pooled) return this.#inBlocks(pooled.input);
    const node = nodeOf(value);
    if (node?.domain !== '') return false;
    const images = node.inputs.filter((input) => input !== undefined).filter((input) => !isSingle(input));
    if (elementwise.has(node.op)) {
      return (
        images.every((image) => sameShape(image.shape, value.shape)) && images.some((image) => this.#inBlocks(image))
      );
    }
    return resizing(node) !== undefined && this.#inBlocks(node.inputs[0]!);
  }

  /** A value in blocks, reordered where it is computed otherwise. */
  #blocks(value: Value): Blocked {
    const known = this.#blocked.get(value);
    if (known) return known;
    const made = this.#inBlocks(value) ? this.#compute(value) : toBlocks(this.#g, this.plain(value), this.#block);
    this.#blocked.set(value, made);
    return made;
  }

  #compute(value: Value): Blocked {
    const g = this.#g;
    const record = this.#records.get(value);
    if (record) return this.#convolution(value, record);
    const pooled = poolGradientOf(value);
    if (pooled) return this.#poolGradient(value);
    const node = nodeOf(value)!;
    const [height, width] = value.shape.slice(2) as [number, number];
    const resized = resizing(node);
    if (resized) return onBlocks(g, resized.op, this.#blocks(node.inputs[0]!), [height, width], resized.attributes);
    const [first] = node.inputs as [Value];
    const inner = this.#records.get(first);
    if (node.op === 'Relu' && inner?.kind === 'forward' && this.#readers.get(first) === 1) {
      return this.#convolution(first, inner, true);
    }
    const operands = node.inputs.map((input) => (isSingle(input!) ? this.plain(input!) : this.#blocks(input!).value));
    const like = operands.find((operand) => !isSingle(operand))!;
    return { value: g.node(node.op, operands, like, node.attributes), channels: value.shape[1]! };
  }

  #convolution(value: Value, record: ConvolutionRecord, rectified = false): Blocked {
    if (record.kind === 'filter') throw new Error('the gradient of a filter is not an image');
    const { image, info } = record;
    const back = record.kind === 'input';
    const x = readsFewChannels(image.shape[1]!) ? this.plain(image) : this.#blocks(image);
    return convolve(
      this.#g,
      {
        image: x,
        filter: this.plain(record.filter),
        bias: record.kind === 'forward' && record.bias ? this.plain(record.bias) : undefined,
        size: value.shape.slice(2) as [number, number],
        attributes: sweepAttributes(back ? turnedSweep(sweepOf(info))! : sweepOf(info)),
        back,
        rectified,
      },
      this.#block,
    );
  }

  /** Computed by a pass beside the graph: here it is only said from what. */
  #poolGradient(value: Value): Blocked {
    const { dy, input, stepped } = poolGradientOf(value)!;
    const [given, image] = [this.#blocks(dy).value, this.#blocks(input).value];
    const gradient = this.#g.node('MaxPoolGradient', [given, image], image, {}, 'hourglass');
    recordPoolGradient({ gradient, dy: given, input: image, stepped, block: this.#block });
    return { value: gradient, channels: value.shape[1]! };
  }

  /** The value in ONNX's own layout. */
  plain(value: Value): Value {
    const known = this.#plain.get(value);
    if (known) return known;
    const made = this.#inBlocks(value) ? toChannelsFirst(this.#g, this.#blocks(value)) : this.#copy(value);
    this.#plain.set(value, made);
    return made;
  }

  #copy(value: Value): Value {
    const g = this.#g;
    const { source, type, shape } = value;
    if (source.kind === 'input') return g.input(source.name, type, shape);
    if (source.kind === 'constant') return g.constant(type, shape, source.data);
    const record = this.#records.get(value);
    if (record?.kind === 'filter') {
      const [x, dy] = [this.#side(record.x), this.#side(record.dy)];
      return filterGradient(g, x, dy, record.info, this.#block);
    }
    const { node } = source;
    const [first] = node.inputs;
    if (node.op === 'Transpose' && isLast(node) && this.#inBlocks(first!)) {
      return toChannelsLast(g, this.#blocks(first!), this.#block);
    }
    if (node.op === 'ReduceSum' && sumsChannels(node) && this.#inBlocks(first!)) {
      return channelSums(g, this.#blocks(first!));
    }
    const pooled = poolGradientOf(value);
    const inputs = node.inputs.map((input) => input && this.plain(input));
    const outputs = g.nodes(node.op, inputs, node.outputs, node.attributes, node.domain);
    for (const [i, output] of node.outputs.entries()) this.#plain.set(output, outputs[i]!);
    const copy = outputs[source.output]!;
    if (pooled) {
      recordPoolGradient({ ...pooled, gradient: copy, dy: this.plain(pooled.dy), input: this.plain(pooled.input) });
    }
    return copy;
  }

  /** An NHWC image of a filter gradient. */
  #side(image: Value) {
    const node = nodeOf(image);
    const first = node?.op === 'Transpose' && isLast(node) ? node.inputs[0]! : undefined;
    const last = () => this.plain(image);
    const blocks = (): Blocked => {
      if (first) return this.#blocks(first);
      return toBlocks(this.#g, transpose(this.#g, this.plain(image), [0, 3, 1, 2]), this.#block);
    };
    return { channels: image.shape[3]!, last, blocks };
  }
}

const isLast = ({ attributes }: Node): boolean => sameShape(attributes.perm as readonly number[], [0, 2, 3, 1]);

/** Whether a sum leaves the channels of an NCHW image. */
function sumsChannels({ inputs, attributes }: Node): boolean {
  const axes = constantData(inputs[1]!);
  return attributes.keepdims === 0 && axes !== undefined && Array.from(axes).join() === '0,2,3';
}

/** The operator on blocks that pools or enlarges as a node does; undefined for other nodes. */
function resizing(node: Node): { op: 'MaxPool' | 'AveragePool' | 'Upsample'; attributes: Attributes } | undefined {
  const { op, inputs, outputs, attributes } = node;
  if ((op === 'MaxPool' || op === 'AveragePool') && outputs.length === 1) return { op, attributes };
  if (op !== 'Resize' || attributes.mode !== 'nearest') return undefined;
  const isUpsample = attributes.coordinate_transformation_mode === 'asymmetric' && attributes.nearest_mode === 'floor';
  const scales = inputs[2] && constantData(inputs[2]);
  return isUpsample && scales ? { op: 'Upsample', attributes: { scales: Array.from(scales) } } : undefined;
}
