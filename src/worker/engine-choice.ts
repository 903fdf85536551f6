/** The engine that the configuration asks for. */

import type { Engine } from '../engine/engine.ts';
import type { EngineChoice } from './protocol.ts';

/** Throws `device-unavailable`. Only what is chosen is loaded. */
export async function openEngine({ engine, device, threads }: EngineChoice): Promise<Engine> {
  switch (engine) {
    case 'onnx': {
      const { createOnnxEngine } = await import('../engine/onnx/engine.ts');
      return createOnnxEngine({ device, threads });
    }
    case 'eager': {
      const { eagerEngine } = await import('../engine/eager.ts');
      return eagerEngine('cpu');
    }
    case 'tensorflow': {
      const { tensorflowEngine } = await import('../engine/tensorflow.ts');
      return tensorflowEngine();
    }
    default:
      return engine satisfies never;
  }
}
