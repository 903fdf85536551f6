/**
 * One Node contender of the training benchmark: a child process that answers commands on stdin (one JSON a line) on stdout.
 *   node worker.ts ENGINE THREADS    engines: onnx, cpu, wasm, tensorflow
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs-core';
import { float32 } from '../../src/base/ndarray.ts';
import { eagerEngine } from '../../src/engine/eager.ts';
import type { Engine, Executable } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import { tensorflowEngine } from '../../src/engine/tensorflow.ts';
import { type Data, dataOf, initialParameters, type NetName, net, optimizerFeed } from './nets.ts';
import type { Answer, Command } from './protocol.ts';

const [engineName, threads] = [process.argv[2], Number(process.argv[3])];
const require = createRequire(import.meta.url);
const versionOf = (name: string): string => (require(`${name}/package.json`) as { version: string }).version;

async function start(): Promise<{ engine: Engine; version: string }> {
  switch (engineName) {
    case 'onnx':
      return { engine: createOnnxEngine({ threads }), version: `onnxruntime-node ${versionOf('onnxruntime-node')}` };
    case 'cpu':
      return { engine: await eagerEngine('cpu'), version: `tfjs ${versionOf('@tensorflow/tfjs-backend-cpu')}` };
    case 'wasm':
      await import('@tensorflow/tfjs-backend-wasm');
      return { engine: await eagerEngine('wasm'), version: `tfjs ${versionOf('@tensorflow/tfjs-backend-wasm')}` };
    case 'tensorflow': {
      const engine = await tensorflowEngine();
      const { binding } = tf.findBackend('tensorflow') as unknown as { binding: { TF_Version: string } };
      return { engine, version: `tfjs-node on libtensorflow ${binding.TF_Version}` };
    }
    default:
      throw new Error(`unknown engine ${engineName}`);
  }
}

const { engine, version } = await start();
let executable: Executable | undefined;
let x = new Float32Array();
let data: Data = dataOf('mlp');
let done = 0;

async function load(name: NetName, imagesFile: string): Promise<Answer> {
  await executable?.dispose();
  const made = net(name);
  executable = await engine.compile(made.program);
  const state = await executable.getState();
  await executable.setState({ ...state, ...initialParameters(made) });
  await executable.setConstants(made.constants);
  data = dataOf(name);
  x = new Float32Array(readFileSync(imagesFile).buffer);
  done = 0;
  return { version };
}

/** Runs the steps through the data in calls of at most `batches`. */
async function round(steps: number): Promise<Answer> {
  if (!executable) throw new Error('no net is loaded');
  const began = performance.now();
  const used = process.cpuUsage();
  let loss = Number.NaN;
  const { batches, batch, pixels } = data;
  for (let left = steps; left > 0; ) {
    const at = done % batches;
    const count = Math.min(left, batches - at);
    const size = batch * pixels;
    const { loss: losses } = await executable.run({
      x: float32([count, batch, pixels], x.subarray(at * size, (at + count) * size)),
      optimizer: optimizerFeed(done, count),
    });
    loss = losses?.data[count - 1] as number;
    done += count;
    left -= count;
  }
  const { user, system } = process.cpuUsage(used);
  return { milliseconds: performance.now() - began, processor: (user + system) / 1000, loss };
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command;
  let answer: Answer;
  try {
    answer = command.do === 'load' ? await load(command.net, command.images) : await round(command.steps);
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
