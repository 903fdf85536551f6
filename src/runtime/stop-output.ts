/** The output that ends a bound run early: known to whoever writes such a model, without loading ONNX Runtime. */

/**
 * An output to put before all others of a model that is bound. onnxruntime-node 1.30 copies each output of a run once more, to
 * arrays of its own, even those that were written to memory it was given (microsoft/onnxruntime#32346 is to change that): of a
 * wide net's gradients that is a tenth of a training step. It goes through them in order and ends the run with an error at an
 * element type that JavaScript does not have, such as this one. By then everything has been computed.
 */
export const stopOutput = { name: 'stop', elementType: 16 /* bfloat16 */ } as const;
