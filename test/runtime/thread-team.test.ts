// Several threads run parts of one WebAssembly function over one memory.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { instantiate, sharedMemory } from '../../src/base/webassembly.ts';
import { moduleOf, UpdateFunction } from '../../src/engine/onnx/update/wasm.ts';
import { type PartedModule, ThreadTeam } from '../../src/runtime/thread-team.ts';

const floats = 1000;
/** adds 1 to each of `floats` numbers at address 0 */
function increment(): Uint8Array {
  const f = new UpdateFunction();
  const one = f.constant(1);
  f.loop(Math.ceil((4 * floats) / 64), () => f.store(0, f.compute('add', f.load(0), one)));
  return moduleOf({ update: f }, 1, true);
}

let team: ThreadTeam | undefined;
/** Files share a process: others may have ports of their own. */
const ports = (): number => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
let before = 0;
beforeEach(() => {
  before = ports();
});
afterEach(async () => {
  await team?.dispose();
  expect(ports()).toBeLessThanOrEqual(before);
});

it.each([1, 2, 4])('of %i: each part is done once a turn', async (size) => {
  const memory = sharedMemory(65_536);
  team = await ThreadTeam.start(increment(), memory, size);
  for (let turn = 1; turn <= 200; turn++) {
    team.run('update');
    const values = new Float32Array(memory.buffer, 0, floats);
    expect(values.every((value) => value === turn)).toBe(true);
  }
});

it('parts of any number cover everything', () => {
  for (const parts of [1, 2, 3, 7, 16, 100]) {
    const memory = sharedMemory(65_536);
    const { update } = instantiate<PartedModule>(increment(), { host: { memory } });
    for (let part = 0; part < parts; part++) update?.(part, parts);
    expect(new Float32Array(memory.buffer, 0, floats).every((value) => value === 1)).toBe(true);
  }
});
