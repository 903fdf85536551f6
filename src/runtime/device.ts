/** What runs the numbers, and what to say when it cannot be used: an execution provider of ONNX Runtime by its name. */

import { HourglassError } from '../base/errors.ts';

export const devices = ['cpu', 'webgpu', 'cuda'] as const;
export type Device = (typeof devices)[number];

/** The smallest model, y = relu(x) of one number: whether a device works is only known by loading something on it. */
export const probeModel: Uint8Array = Buffer.from(
  'CAgSCWhvdXJnbGFzcxoBMTo3CgwKAXgSAXkiBFJlbHUSBXByb2JlWg8KAXgSCgoICAESBAoCCAFiDwoBeRIKCggIARIECgIIAUIECgAQEg==',
  'base64',
);

const remedies: Readonly<Record<Device, string>> = {
  cpu: 'Reinstall onnxruntime-node for this platform.',
  webgpu:
    'WebGPU needs a GPU with its driver (on Linux Vulkan and libvulkan.so.1) and a platform for which onnxruntime-node ships it; or choose the device cpu.',
  cuda: 'CUDA needs the CUDA files of onnxruntime-node (npm rebuild onnxruntime-node --ignore-scripts=false --onnxruntime-node-install=cuda12), an NVIDIA driver, CUDA 12 and cuDNN 9; or choose the device cpu.',
};

/** `device-unavailable` for a device that this build of ONNX Runtime does not know. */
export function unknownDevice(device: Device, supported: readonly string[]): HourglassError {
  return new HourglassError(
    'device-unavailable',
    `ONNX Runtime has no ${device} here, only ${supported.join(', ')}. ${remedies[device]}`,
    { field: 'device', expected: supported, found: device },
  );
}

/** `device-unavailable` for a device that could not be started, with what was found to be missing and what helps, if that is known. */
export function brokenDevice(
  device: Device,
  cause: unknown,
  { missing, remedy = remedies[device] }: { readonly missing?: string; readonly remedy?: string } = {},
): HourglassError {
  return new HourglassError(
    'device-unavailable',
    `ONNX Runtime cannot start on ${device} here${missing ? `: ${missing}` : ''}. ${remedy}`,
    { field: 'device', found: device },
    { cause },
  );
}
