/**
 * The `tensorflow` engine: eager on tfjs-node or tfjs-node-gpu, which `npm run setup:tensorflow` installs beside the
 * project's packages, or which the user has among them. Loading it here keeps it out of every process that does not ask.
 */

import { createRequire } from 'node:module';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { HourglassError } from '../base/errors.ts';
import { eagerEngine } from './eager.ts';
import type { Engine } from './engine.ts';

const packages = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;
const setup = 'npm run setup:tensorflow';

/** Where to look: what the setup script installed (`.tensorflow` at the package's root), then the ordinary packages. */
const places: readonly URL[] = [new URL('../../.tensorflow/', import.meta.url), new URL(import.meta.url)];

/** An addon that is installed: its package, and how to load it. */
function findAddon(from: readonly URL[]): { readonly name: string; readonly load: () => unknown } | undefined {
  for (const require of from.map((place) => createRequire(place))) {
    for (const name of packages) {
      try {
        require.resolve(name);
        return { name, load: () => require(name) };
      } catch {
        // not in this place
      }
    }
  }
  return undefined;
}

/** Whether an addon is installed; it may still fail to load. */
export const tensorflowInstalled = (from = places): boolean => findAddon(from) !== undefined;

/**
 * Throws `device-unavailable` naming the command that installs tfjs-node where it is missing, does not load, or was
 * installed with a tfjs-core of its own (its tensors would then be foreign to every program here).
 */
export async function tensorflowEngine(from = places): Promise<Engine> {
  const addon = findAddon(from);
  if (!addon) {
    throw new HourglassError(
      'device-unavailable',
      `The tensorflow engine needs @tensorflow/tfjs-node, which is not installed. Run \`${setup}\`, or choose the onnx engine.`,
    );
  }
  // tfjs-node still calls this, Node 23 dropped it
  const legacy = util as { isNullOrUndefined?: (value: unknown) => boolean };
  legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
  const current = tf.engine().backendName;
  try {
    addon.load();
  } catch (cause) {
    throw new HourglassError(
      'device-unavailable',
      `${addon.name} is installed but does not load here. Run \`${setup} -- --force\`, or choose the onnx engine.`,
      {},
      { cause },
    );
  }
  if (current) await tf.setBackend(current);
  if (tf.findBackendFactory('tensorflow') === null) {
    throw new HourglassError(
      'device-unavailable',
      `${addon.name} uses another copy of @tensorflow/tfjs-core. Run \`${setup} -- --force\`, or choose the onnx engine.`,
    );
  }
  return eagerEngine('tensorflow');
}
