/** A thread of a team: takes chunks each turn, until it is terminated. */

import { parentPort, workerData } from 'node:worker_threads';
import { instantiate } from '../base/webassembly.ts';
import { control, type PartedModule, type TeamData, takeChunks } from './thread-team.ts';

const { module, memory, control: block, names } = workerData as TeamData;
const own = instantiate<PartedModule>(module, { host: { memory } });
const words = new Int32Array(block);

parentPort?.postMessage('ready');
for (;;) {
  const turn = Atomics.load(words, control.turn);
  takeChunks(own, names, words);
  Atomics.wait(words, control.turn, turn);
}
