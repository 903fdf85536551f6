/** Entry of a process that tries WebGPU and ends: its standard error tells why it does not start (webgpu-trouble.ts). */

import { tryDevice } from './session.ts';

try {
  tryDevice('webgpu');
} catch {
  process.exitCode = 1;
}
