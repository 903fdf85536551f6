/** A thread of a team: does its part each turn, until it is terminated. */

import { parentPort, workerData } from 'node:worker_threads';
import { instantiate } from '../base/webassembly.ts';
import { control, type PartedModule, type TeamData } from './team.ts';

const { module, memory, control: block, part, parts } = workerData as TeamData;
const { update } = instantiate<PartedModule>(module, { host: { memory } });
const words = new Int32Array(block);

parentPort?.postMessage('ready');
for (let turn = 0; ; turn++) {
  while (Atomics.load(words, control.turn) === turn) Atomics.wait(words, control.turn, turn);
  update(part, parts);
  Atomics.add(words, control.done, 1);
  Atomics.notify(words, control.done);
}
