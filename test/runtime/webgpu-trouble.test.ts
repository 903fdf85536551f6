// Why WebGPU does not start, from what its library writes to standard error. The texts are those of real drivers.
import { describe, expect, it } from 'vitest';
import { requireDevice, tryDevice } from '../../src/runtime/session.ts';
import { troubleIn } from '../../src/runtime/webgpu-trouble.ts';

const llvmpipe = `Warning: Vulkan shaderUniform*ArrayDynamicIndexing required.
 - While initializing adapter (backend=BackendType::Vulkan)
    at InitializeImpl (/build/Release/_deps/dawn-src/src/dawn/native/vulkan/PhysicalDeviceVk.cpp:253)
`;
const noDriver = `Warning: vkCreateInstance: Found no drivers!
Warning: vkCreateInstance failed with VK_ERROR_INCOMPATIBLE_DRIVER
    at CheckVkSuccessImpl (/build/Release/_deps/dawn-src/src/dawn/native/vulkan/VulkanError.cpp:106)
`;
const noLoader = `Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open shared object file: No such file or directory
    at operator() (/build/Release/_deps/dawn-src/src/dawn/native/vulkan/BackendVk.cpp:368)
`;

describe('the reason why WebGPU does not start', () => {
  it('is a feature that the driver lacks, by its name', () => {
    expect(troubleIn(llvmpipe)).toEqual({
      missing: expect.stringContaining('(shaderUniform*ArrayDynamicIndexing)'),
      remedy: expect.stringMatching(/llvmpipe.*use a newer driver, or choose the device cpu/),
    });
  });

  it('is a missing driver', () => {
    expect(troubleIn(noDriver)?.missing).toBe('there is no Vulkan driver');
  });

  it('is a missing loader', () => {
    expect(troubleIn(noLoader)?.missing).toBe('libvulkan.so.1, the Vulkan loader, is missing');
  });

  it('is left open where nothing known was said', () => {
    expect(troubleIn('Warning: something else\n')).toBeUndefined();
  });

  it('is found on this machine, where WebGPU does not start', () => {
    let works = true;
    try {
      tryDevice('webgpu');
    } catch {
      works = false;
    }
    if (works) expect(() => requireDevice('webgpu')).not.toThrow();
    else
      expect(() => requireDevice('webgpu')).toThrow(
        /^ONNX Runtime (has no webgpu|cannot start on webgpu here: .*Vulkan)/,
      );
  });
});
