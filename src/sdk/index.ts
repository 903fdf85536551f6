/** The package's entry `hourglass/sdk`: client, on-device encoder, outbox. Imports no Node module. */

export { type ErrorCode, HourglassError } from '../base/errors.ts';
export * from './client.ts';
export type { RunEncoder } from './dense-runtime.ts';
export * from './encoder.ts';
export * from './onnx-runtime.ts';
export * from './outbox.ts';
export { ProblemError, type TransportOptions } from './transport.ts';
