// Every engine computes what tfjs computes on its cpu backend, forward and backward, op family by op family.

import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eagerEngine } from '../../src/engine/eager.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import { tensorflowEngine, tensorflowInstalled } from '../../src/engine/tensorflow.ts';
import { type Device, requireDevice } from '../../src/runtime/session.ts';
import { expectAgreement } from './engine/agreement.ts';
import { arrays } from './engine/arrays.ts';
import { elementwise } from './engine/elementwise.ts';
import { images } from './engine/images.ts';
import { describeState } from './engine/state.ts';

interface Contender {
  readonly name: string;
  readonly installed: boolean;
  readonly create: () => Promise<Engine>;
  /** where a device computes with less than float32's precision */
  readonly tolerance?: number;
  /** cases that an engine's libraries answer otherwise, with the reason */
  readonly differs: Readonly<Record<string, string>>;
}

function works(device: Device): boolean {
  try {
    requireDevice(device);
    return true;
  } catch {
    return false;
  }
}

const contenders: readonly Contender[] = [
  { name: 'onnx', installed: true, create: async () => createOnnxEngine(), differs: {} },
  { name: 'onnx in a Scan', installed: true, create: async () => createOnnxEngine({ fuse: false }), differs: {} },
  {
    name: 'onnx on webgpu',
    installed: works('webgpu'),
    create: async () => createOnnxEngine({ device: 'webgpu' }),
    // WGSL allows sin and cos an absolute error of 2⁻¹¹, and compilers to assume that there is no NaN
    tolerance: 1e-3,
    differs: { isNaN: 'shaders need not know NaN' },
  },
  {
    name: 'tensorflow',
    installed: tensorflowInstalled(),
    create: tensorflowEngine,
    differs: {
      'conv2d explicit padding': 'tfjs-node takes no explicit padding',
      'conv2d padding wider than the filter': 'tfjs-node takes no explicit padding',
      'avgPool over its padding': 'TensorFlow divides a gradient by what the window sees, tfjs by its size',
      maxPoolWithArgmax: 'not in tfjs-node',
      searchSorted: 'not in tfjs-node',
    },
  },
];

for (const { name, installed, create, differs, tolerance } of contenders) {
  describe.runIf(installed)(installed ? name : `${name} (skipped: not here)`, () => {
    let engine: Engine;
    let oracle: Engine;
    let tensors: number;
    beforeAll(async () => {
      oracle = await eagerEngine('cpu');
      engine = await create();
      tensors = tf.memory().numTensors;
    });
    afterAll(async () => {
      await engine.dispose();
      await oracle.dispose();
      expect(tf.memory().numTensors, 'tensors left behind').toBe(tensors);
    });
    describe('state', () => describeState(() => engine));
    for (const [family, cases] of Object.entries({ elementwise, images, arrays })) {
      describe(family, () => {
        for (const testCase of cases) {
          const reason = differs[testCase.name];
          it.skipIf(reason)(reason ? `${testCase.name} (${reason})` : testCase.name, () =>
            expectAgreement(engine, oracle, tolerance ? { ...testCase, tolerance } : testCase),
          );
        }
      });
    }
  });
}
