/** The shape of an answer, which follows from the operation and from the shape of the rows that were sent. */

import { type Shape, sizeOf } from '../base/ndarray.ts';
import type { Manifest, Operation } from '../registry/manifest.ts';
import { outputShapeOf } from './served-model.ts';

/** Rows come back in the form in which they were sent: flat or in the model's shape. Rows made from codes are flat. */
export function answerShape(manifest: Manifest, operation: Operation, asked: Shape): Shape {
  const [rows = 0] = asked;
  switch (operation) {
    case 'encode':
    case 'classify':
    case 'outliers':
    case 'recommend':
    case 'analyse':
    case 'translate':
      return [rows, ...outputShapeOf(manifest, operation)];
    case 'decode':
    case 'generate':
      return [rows, sizeOf(outputShapeOf(manifest, operation))];
    case 'denoise':
    case 'reconstruct':
    case 'series':
      return asked;
    default:
      return operation satisfies never;
  }
}
