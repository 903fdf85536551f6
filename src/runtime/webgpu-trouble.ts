/**
 * Why WebGPU does not start. ONNX Runtime says only that there is no adapter; the reason goes from its WebGPU library straight to
 * standard error. So the attempt is made once more in a process of its own, whose output is read.
 */

import { spawnSync } from 'node:child_process';
import { entry } from '../platform/entry.ts';

/** What was found to be missing, and what to do about it. */
export interface Trouble {
  readonly missing: string;
  readonly remedy: string;
}

const orCpu = 'or choose the device cpu.';

/** From what was written to standard error; undefined when it names no reason that is known. */
export function troubleIn(output: string): Trouble | undefined {
  const features = [...output.matchAll(/Warning: (?:Vulkan )?(.+?) required\.?$/gm)].map(([, feature]) => feature);
  if (features.length > 0) {
    return {
      missing: `the Vulkan driver lacks what WebGPU requires (${[...new Set(features)].join(', ')})`,
      remedy: `Mesa's software driver (llvmpipe, in Mesa 22.3) and drivers of old GPUs lack it: use a newer driver, ${orCpu}`,
    };
  }
  if (/Couldn't load Vulkan/.test(output)) {
    return {
      missing: 'libvulkan.so.1, the Vulkan loader, is missing',
      remedy: `Install it (Debian: libvulkan1) and the Vulkan driver of the GPU, ${orCpu}`,
    };
  }
  if (/Found no drivers|VK_ERROR_INCOMPATIBLE_DRIVER/.test(output)) {
    return {
      missing: 'there is no Vulkan driver',
      remedy: `Install that of the GPU (Debian: mesa-vulkan-drivers for Intel and AMD; for NVIDIA its own, and in a container NVIDIA_DRIVER_CAPABILITIES=graphics,compute), ${orCpu}`,
    };
  }
  return undefined;
}

/** Takes as long as ONNX Runtime needs to start. */
export function findTrouble(): Trouble | undefined {
  const program = entry(import.meta.url, './webgpu-probe.ts');
  const { stderr } = spawnSync(process.execPath, [program.pathname], { encoding: 'utf8', timeout: 20_000 });
  return troubleIn(stderr ?? '');
}
