/**
 * What a phase of training minimises: the tensors that each step is fed, and a pure function of parameters and feeds. Data
 * and noise are declared here and produced by src/train, so that a step can be repeated bit for bit.
 */

import type { Scalar, Tensor1D } from '@tensorflow/tfjs-core';
import type { Shape } from '../base/ndarray.ts';
import type { Tensors } from '../engine/engine.ts';
import type { OptimizerSpec } from '../spec/training.ts';
import type { Parameters } from './parameters.ts';

export type Distribution =
  | { readonly type: 'uniform' }
  | { readonly type: 'normal' }
  | { readonly type: 'bernoulli'; readonly probability: number };

/** Every feed has a leading batch axis. */
export type Feed =
  /** float32 [batch, …row shape]: rows of the data set */
  | { readonly from: 'rows' }
  /** int32 [batch]: their class numbers */
  | { readonly from: 'labels' }
  /** float32 [batch, …shape], drawn anew for each step */
  | { readonly from: 'noise'; readonly distribution: Distribution; readonly shape: Shape };

export interface Objective {
  readonly feeds: Readonly<Record<string, Feed>>;
  /** Scalar to minimise, the mean over the batch; `metrics` are scalars to report beside it. */
  loss(p: Tensors, feeds: Tensors): { readonly loss: Scalar; readonly metrics?: Readonly<Record<string, Scalar>> };
  /** [batch]: what is averaged over held-out rows and compared between epochs; penalties are left out. */
  heldOut(p: Tensors, feeds: Tensors): Tensor1D;
}

/** One part of a training schedule. */
export interface Phase {
  /** as progress shows it: `train`, `pretrain 1/3`, `fine-tune` */
  readonly name: string;
  readonly objective: Objective;
  readonly trainable: Parameters;
  /** used by the objective, not changed */
  readonly frozen: Parameters;
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: OptimizerSpec;
}
