/** What a benchmark ran on. Results are kept by processor: a run replaces those of its own and leaves the others. */

import { readFileSync } from 'node:fs';
import os from 'node:os';

export interface Processor {
  /** model, family and number of cores: the key that results are kept by */
  readonly name: string;
  /** instruction sets that matter to matrix products, as far as the system tells */
  readonly flags: readonly string[];
}

const telling = /^(sse4_2|avx2?|fma|avx512(f|bw|vl|_vnni|_bf16|_fp16)|avx_vnni|amx_(tile|bf16|int8)|asimd|sve2?|i8mm)$/;

/** `text`: /proc/cpuinfo, where there is one. */
export function processor(text = cpuInfo()): Processor {
  const field = (name: string): string | undefined => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(text)?.[1];
  const model = field('model name') ?? os.cpus()[0]?.model ?? os.arch();
  const [family, number] = [field('cpu family'), field('model')];
  const detail = family && number ? ` (family ${family}, model ${number})` : '';
  const flags = (field('flags') ?? field('Features') ?? '').split(' ').filter((flag) => telling.test(flag));
  return { name: `${model.trim()}${detail}, ${os.availableParallelism()} cores`, flags };
}

function cpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}

export const system = (): string => `${os.type()} ${os.release()}, Node ${process.versions.node}`;

/** The day, and how much else the machine had to do around the measurement. */
export function measured(loadBefore: number): string {
  const load = os.loadavg()[0] ?? 0;
  return `${new Date().toISOString().slice(0, 10)}, load of the machine ${loadBefore.toFixed(2)} before, ${load.toFixed(2)} after`;
}
