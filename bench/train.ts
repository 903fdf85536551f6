/**
 * `npm run bench:train`: milliseconds per training step of four nets on every engine that is there and, in the same
 * interleaved rounds, in PyTorch, JAX and Keras where BENCH_PYTHON (or python3) has them. Writes train.md and train.json, in which
 * figures of other processors and other Nodes, and nets that were left out, stay as they are.
 *
 *   npm run bench:train -- [--nets mlp,deep,conv,photo] [--threads 1,2] [--steps 3000] [--rounds 9] [--milliseconds 600]
 *                          [--only onnx,PyTorch] [--dry]
 *
 * Measuring begins after `--steps` steps: in the first hundreds compilers still work, and only then units die and moments decay
 * as they do in a real training. Whoever takes more than a tenth of a second a step is measured sooner.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { measured, processor, system } from './processor.ts';
import { type Contender, findContenders, Runner } from './train/contenders.ts';
import { images, initialParameters, type NetName, net, netNames } from './train/nets.ts';
import { markdown, median, type Result, type Row, withResult } from './train/table.ts';

const { values: options } = parseArgs({
  options: {
    nets: { type: 'string', default: netNames.join() },
    threads: { type: 'string', default: '1,2' },
    steps: { type: 'string', default: '3000' },
    rounds: { type: 'string', default: '9' },
    milliseconds: { type: 'string', default: '600' },
    only: { type: 'string' },
    dry: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
const budget = Number(options.milliseconds);
const stepsBefore = Number(options.steps);
/** milliseconds a step: whoever is slower takes no more steps before the rounds than it takes to know its speed */
const slow = 100;

const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-bench-'));
const bytesOf = (data: Float32Array): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function writeData(names: readonly NetName[]): void {
  for (const name of names) {
    const made = net(name);
    const arrays = [...Object.values(initialParameters(made)), ...Object.values(made.constants)];
    writeFileSync(path.join(folder, name), Buffer.concat(arrays.map(({ data }) => bytesOf(data as Float32Array))));
    writeFileSync(path.join(folder, `${name}.images`), bytesOf(images(name)));
  }
}

/** A contender with its net loaded and warmed up. */
interface Ready {
  readonly runner: Runner;
  readonly stepsPerRound: number;
  readonly stepsBefore: number;
  readonly samples: number[];
  readonly processor: number[];
  readonly version: string;
}

/** Loads and warms up; the loss after three steps must be that of the others. */
async function prepare(
  runner: Runner,
  name: NetName,
  expectedLoss: number | undefined,
): Promise<Ready & { loss: number }> {
  const answer = await runner.ask({
    do: 'load',
    net: name,
    parameters: path.join(folder, name),
    images: path.join(folder, `${name}.images`),
  });
  let last = { milliseconds: 0, processor: 0, loss: Number.NaN };
  for (let step = 0; step < 3; step++) last = await runner.round(1);
  const { loss } = last;
  if (expectedLoss !== undefined && !(Math.abs(loss / expectedLoss - 1) < 1e-3)) {
    throw new Error(`${runner.contender.name} computes something else: loss ${loss}, expected ${expectedLoss}`);
  }
  let perStep = last.milliseconds;
  let done = 3;
  let spent = 0;
  const isWarm = (steps: number) => Math.max(spent, perStep * steps) >= 4 * budget;
  const isReady = (steps: number) => isWarm(steps) && (done >= stepsBefore || perStep > slow);
  for (let steps = 16; !isReady(steps); steps = Math.min(2 * steps, 256)) {
    const { milliseconds } = await runner.round(steps);
    perStep = milliseconds / steps;
    spent += milliseconds;
    done += steps;
  }
  const fitting = Math.max(1, Math.min(1024, Math.round(budget / perStep)));
  const stepsPerRound = fitting < 16 ? fitting : 16 * Math.round(fitting / 16);
  return {
    runner,
    stepsPerRound,
    stepsBefore: done,
    samples: [],
    processor: [],
    version: 'version' in answer ? answer.version : '',
    loss,
  };
}

/** Rounds in which a contender that needs much longer than the budget takes part: its figure matters less than its order. */
const roundsFor = ({ stepsPerRound, samples }: Ready): number =>
  stepsPerRound === 1 && (samples[0] ?? 0) > 2 * budget ? 1 : rounds;

async function measure(
  name: NetName,
  threads: number,
  contenders: readonly Contender[],
  result: Result,
): Promise<void> {
  const versions = result.versions as Record<string, string>;
  const loadBefore = os.loadavg()[0] ?? 0;
  const runners = contenders.map((contender) => new Runner(contender, threads));
  const ready: Ready[] = [];
  let loss: number | undefined;
  try {
    for (const runner of runners) {
      try {
        const prepared = await prepare(runner, name, loss);
        loss ??= prepared.loss;
        versions[runner.contender.name] = prepared.version;
        ready.push(prepared);
      } catch (error) {
        (result.notes as string[]).push(
          `${name}, ${threads} threads: ${error instanceof Error ? error.message : error}`,
        );
        console.error(error);
      }
    }
    for (let round = 0; round < rounds; round++) {
      // another order each round, forwards and backwards, so that nobody always follows the same one; and a pause in which
      // spinning threads go to sleep
      for (let i = 0; i < ready.length; i++) {
        const place = (i + round) % ready.length;
        const one = ready[round % 2 ? ready.length - 1 - place : place] as Ready;
        if (round >= roundsFor(one)) continue;
        await sleep(250);
        const { milliseconds, processor } = await one.runner.round(one.stepsPerRound);
        one.samples.push(milliseconds / one.stepsPerRound);
        one.processor.push(processor / one.stepsPerRound);
      }
    }
  } finally {
    await Promise.all(runners.map((runner) => runner.close()));
  }
  const when = measured(loadBefore);
  const rows: Row[] = ready.map(({ runner: { contender }, samples, processor, stepsPerRound, stepsBefore }) => ({
    ...{ net: name, threads, contender: contender.name, ours: contender.ours },
    ...{ samples, processor, stepsPerRound, stepsBefore, measured: when },
  }));
  for (const row of rows) {
    const ms = median(row.samples);
    console.log(
      `${name.padEnd(5)} ${threads} ${row.contender.padEnd(34)} ${ms.toFixed(3).padStart(10)} ms  (min ${Math.min(...row.samples).toFixed(3)}), processor ${median(row.processor ?? []).toFixed(3)}`,
    );
  }
  (result.rows as Row[]).push(...rows);
}

async function main(): Promise<void> {
  const { contenders, absent } = findContenders(process.env.BENCH_PYTHON ?? 'python3');
  for (const line of absent) console.error(`not here: ${line}`);
  const only = options.only?.split(',');
  const chosen = contenders.filter(({ name }) => !only || only.some((part) => name.includes(part)));
  const names = options.nets.split(',') as NetName[];
  writeData(names);
  const result: Result = {
    processor: processor(),
    system: system(),
    versions: {},
    rows: [],
    notes: absent.map((line) => line.split(':')[0] as string),
  };
  for (const threads of options.threads.split(',').map(Number)) {
    for (const name of names) {
      await measure(
        name,
        threads,
        chosen.filter((one) => threads === 1 || !one.singleThread),
        result,
      );
    }
  }
  if (options.dry) return;
  const file = path.join(import.meta.dirname, 'train.json');
  const results = withResult(JSON.parse(readFileSync(file, 'utf8')) as Result[], result);
  writeFileSync(path.join(import.meta.dirname, 'train.md'), markdown(results));
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true });
}
