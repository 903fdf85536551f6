/**
 * Rewrites a recorded step so that its convolutions run in blocks of channels (forms.ts). What lies between them (rectifiers, their
 * gradients, pools, enlarging) is computed in blocks as well, so that images are reordered only where blocks begin and end.
 *
 * Everything else is copied node by node. A step without convolutions that are worth it is returned as it is.
 */

import { sameShape, sizeOf } from '../../../base/ndarray.ts';
import { Graph, splatOf, type Value } from '../graph.ts';
import type { ModelPort, RecordedStep } from '../model.ts';
import { transpose } from '../nodes.ts';
import { type ConvolutionRecord, convolutionOf, type InputGradient } from '../ops/convolution-record.ts';
import { poolGradientOf, recordPoolGradient } from '../ops/pooling.ts';
import { sweepAttributes, sweepOf, turnedSweep } from '../ops/sweep.ts';
import {
  foldedBias,
  foldedFilter,
  isFoldable,
  smallImage,
  smallInfo,
  toLarge,
  toSmall,
  unfoldedGradient,
} from './enlarged.ts';
import {
  type Blocked,
  channelSums,
  channelSumsInside,
  convolve,
  filterGradient,
  filterSide,
  imagesInside,
  insideShape,
  onBlocks,
  toBlocks,
  toChannelsFirst,
  toChannelsLast,
} from './forms.ts';
import { isLast, nodeOf, poolsTwofold, resizing, sumsChannels, transposed } from './recognise.ts';
import { isWorthBlocks, isWorthFolding, readsFewChannels } from './worth.ts';

/** Operators on images that are computed in blocks as they are: they do the same to every element, and nothing to a zero that harms. */
const elementwise: ReadonlySet<string> = new Set(['Relu', 'HardSigmoid', 'Add', 'Sub', 'Mul']);

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
  /** what is computed from a value; `undefined` stands for being a result */
  readonly #readers = new Map<Value, (Value | undefined)[]>();
  /** convolutions of enlarged images that are computed from the small ones, which these are */
  readonly #folded = new Map<Value, Value>();
  /** means of 2×2 gradients by an enlarged image, with that gradient: computed for the small image */
  readonly #means = new Map<Value, InputGradient>();
  readonly #plain = new Map<Value, Value>();
  readonly #blocked = new Map<Value, Blocked>();
  /** gradients of max-pools with the images of a block inside */
  readonly #inside = new Map<Value, Value>();

  constructor(results: readonly Value[], block: number) {
    this.#block = block;
    for (const value of results) this.#note(value, undefined);
    this.#survey(results);
  }

  get hasBlocks(): boolean {
    return this.#records.size > 0;
  }

  #note(value: Value, reader: Value | undefined): void {
    const readers = this.#readers.get(value) ?? [];
    readers.push(reader);
    this.#readers.set(value, readers);
  }

  #hasOneReader(value: Value): boolean {
    return this.#readers.get(value)?.length === 1;
  }

  /** Finds the convolutions that are worth it, and counts who reads what. */
  #survey(results: readonly Value[]): void {
    const seen = new Set<Value>();
    const pending = [...results];
    for (let value = pending.pop(); value; value = pending.pop()) {
      if (seen.has(value)) continue;
      seen.add(value);
      this.#choose(value);
      for (const operand of this.#operands(value)) {
        this.#note(operand, value);
        pending.push(operand);
      }
    }
  }

  #choose(value: Value): void {
    const record = convolutionOf(value);
    const small = record && smallImage(record);
    if (record && small && isWorthFolding(record, this.#block)) {
      this.#folded.set(value, small);
      this.#records.set(value, record);
    } else if (record && isWorthBlocks(record, this.#block)) {
      this.#records.set(value, record);
    }
    const node = nodeOf(value);
    const inner = node?.op === 'AveragePool' ? convolutionOf(node.inputs[0]!) : undefined;
    const isWhole = inner?.kind === 'input' && isFoldable(inner.info) && poolsTwofold(node!);
    if (isWhole && isWorthFolding(inner, this.#block)) {
      this.#means.set(value, inner);
      this.#records.set(value, inner);
    }
  }

  /** What a value is computed from. */
  #operands(value: Value): readonly Value[] {
    const record = this.#records.get(value);
    const small = this.#folded.get(value);
    if (record?.kind === 'filter') return [small ?? record.x, record.dy];
    if (record) {
      const bias = record.kind === 'forward' && record.bias ? [record.bias] : [];
      return [small ?? record.image, record.filter, ...bias];
    }
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
    if (record) return record.kind !== 'filter' && !this.#folded.has(value);
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
    const mean = this.#means.get(value);
    if (mean) return this.#smallGradient(mean, 1 / 4);
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
    if (node.op === 'Relu' && inner?.kind === 'forward' && this.#inBlocks(first) && this.#hasOneReader(first)) {
      return this.#convolution(first, inner, true);
    }
    const factor = node.op === 'Mul' && splatOf(node.inputs[1]!);
    const scaled = this.#means.get(first);
    if (factor && scaled && this.#hasOneReader(first)) return this.#smallGradient(scaled, factor / 4);
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

  /** The gradient by an image that was enlarged: summed over its 2×2 pixels, times a factor. */
  #smallGradient({ image, filter, info }: InputGradient, factor: number): Blocked {
    const g = this.#g;
    const dy = toSmall(g, this.plain(image));
    const few = readsFewChannels(dy.shape[1]!);
    const small = smallInfo(info);
    const options = {
      image: few ? dy : toBlocks(g, dy, this.#block),
      filter: foldedFilter(g, this.plain(filter), factor),
      size: [small.inHeight, small.inWidth] as const,
      attributes: sweepAttributes(turnedSweep(sweepOf(small))!),
      back: true,
    };
    return convolve(g, options, this.#block);
  }

  /** A convolution of an enlarged image, NCHW, from the small one; or the gradient of its filter. */
  #fromSmall(record: ConvolutionRecord, image: Value): Value {
    const g = this.#g;
    const info = smallInfo(record.info);
    if (record.kind === 'filter') {
      const dy = toSmall(g, this.#first(record.dy));
      const last = (value: Value) => transpose(g, value, [0, 2, 3, 1]);
      const inside = (blocked: Blocked) => imagesInside(g, blocked, this.#block);
      const sides = [
        { channels: info.inChannels, last: () => last(this.plain(image)), inside: () => inside(this.#blocks(image)) },
        { channels: info.outChannels, last: () => last(dy), inside: () => inside(toBlocks(g, dy, this.#block)) },
      ] as const;
      return unfoldedGradient(g, filterGradient(g, ...sides, info, this.#block));
    }
    const bias = record.kind === 'forward' && record.bias ? foldedBias(g, this.plain(record.bias)) : undefined;
    const options = {
      image: this.#blocks(image),
      filter: foldedFilter(g, this.plain(record.filter)),
      bias,
      size: [info.outHeight, info.outWidth] as const,
      attributes: sweepAttributes(sweepOf(info)),
    };
    return toLarge(g, toChannelsFirst(g, convolve(g, options, this.#block)));
  }

  /** Computed by a pass beside the graph: here it is only said from what. */
  #poolGradient(value: Value): Blocked {
    const { dy, input, stepped } = poolGradientOf(value)!;
    const [given, image] = [this.#blocks(dy).value, this.#blocks(input).value];
    const gradient = this.#g.node('MaxPoolGradient', [given, image], image, {}, 'hourglass');
    recordPoolGradient({ gradient, dy: given, input: image, stepped, block: this.#block });
    return { value: gradient, channels: value.shape[1]! };
  }

  /** Whether only gradients of filters and biases read the gradient of a max-pool, and all in the order that suits a filter. */
  #isReadInside(value: Value): boolean {
    if (!poolGradientOf(value) || !this.#inBlocks(value)) return false;
    const readers = this.#readers.get(value)!;
    const isSum = (reader: Value | undefined) => reader && sumsChannels(nodeOf(reader)!);
    const isFilterSide = (reader: Value | undefined) => {
      const record = reader && this.#records.get(reader);
      const isWhole = record?.kind === 'filter' && !this.#folded.has(reader!);
      return isWhole && transposed(record.dy) === value && filterSide(record.info, this.#block) === 'dy';
    };
    const ofFilter = readers.filter((reader) => !isSum(reader));
    return (
      ofFilter.length > 0 &&
      ofFilter.every(
        (reader) => reader && transposed(reader) === value && this.#readers.get(reader)!.every(isFilterSide),
      )
    );
  }

  #insideGradient(value: Value): Value {
    const known = this.#inside.get(value);
    if (known) return known;
    const { dy, input, stepped } = poolGradientOf(value)!;
    const [given, image] = [this.#blocks(dy).value, this.#blocks(input).value];
    const shape = insideShape(image.shape, this.#block);
    const gradient = this.#g.node('MaxPoolGradient', [given, image], { type: 'float32', shape }, {}, 'hourglass');
    recordPoolGradient({ gradient, dy: given, input: image, stepped, block: this.#block, imagesInside: true });
    this.#inside.set(value, gradient);
    return gradient;
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
    const small = this.#folded.get(value);
    if (record && small) return this.#fromSmall(record, small);
    if (record?.kind === 'filter') {
      const [x, dy] = [this.#side(record.x), this.#side(record.dy)];
      return filterGradient(g, x, dy, record.info, this.#block);
    }
    const { node } = source;
    const [first] = node.inputs;
    if (node.op === 'Transpose' && isLast(node) && this.#inBlocks(first!)) {
      return toChannelsLast(g, this.#blocks(first!), this.#block);
    }
    if (sumsChannels(node) && this.#isReadInside(first!)) {
      return channelSumsInside(g, this.#insideGradient(first!), first!.shape[1]!, this.#block);
    }
    if (sumsChannels(node) && this.#inBlocks(first!)) {
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

  /** An NHWC image as NCHW. */
  #first(image: Value): Value {
    const first = transposed(image);
    return first ? this.plain(first) : transpose(this.#g, this.plain(image), [0, 3, 1, 2]);
  }

  /** An NHWC image of a filter gradient. */
  #side(image: Value) {
    const first = transposed(image);
    const last = () => this.plain(image);
    const inside = (): Value => {
      if (first && this.#isReadInside(first)) return this.#insideGradient(first);
      const blocked = first ? this.#blocks(first) : toBlocks(this.#g, this.#first(image), this.#block);
      return imagesInside(this.#g, blocked, this.#block);
    };
    return { channels: image.shape[3]!, last, inside };
  }
}
