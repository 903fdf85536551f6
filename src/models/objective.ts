/**
 * What a phase of training minimises: the tensors that each step is fed, and a pure function of parameters and feeds. Data
 * and noise are declared here and produced by src/train, so that a step can be repeated bit for bit.
 */

import type { Scalar, Tensor1D } from '@tensorflow/tfjs-core';
import type { Shape } from '../base/ndarray.ts';
import type { Tensors } from '../engine/engine.ts';
import type { OptimizerSpec } from '../jobspec/training.ts';
import type { Parameters } from './parameters.ts';

export type Distribution =
  | { readonly type: 'uniform' }
  | { readonly type: 'normal' }
  | { readonly type: 'bernoulli'; readonly probability: number }
  /** 0 in a square of this side at a random place of each picture, 1 elsewhere; the same in all channels */
  | { readonly type: 'hole'; readonly size: number };

export interface NoiseFeed {
  /** float32 [batch, …shape], drawn anew for each step */
  readonly from: 'noise';
  readonly distribution: Distribution;
  readonly shape: Shape;
}

/** Every feed has a leading batch axis. */
export type Feed =
  /** float32 [batch, …row shape]: rows of the data set */
  | { readonly from: 'rows' }
  /** int32 [batch]: their class numbers */
  | { readonly from: 'labels' }
  | NoiseFeed;

export interface StepLoss {
  /** mean over the batch */
  readonly loss: Scalar;
  /** scalars to report beside it */
  readonly metrics?: Readonly<Record<string, Scalar>>;
  /** new values of the phase's statistics */
  readonly statistics?: Tensors;
}

interface Evaluated {
  readonly feeds: Readonly<Record<string, Feed>>;
  /**
   * Values per row, [batch] each. Their means over held-out rows are reported after each epoch; `loss` is what early
   * stopping compares. Penalties are left out, the price of bits is in.
   */
  heldOut(p: Tensors, feeds: Tensors): Readonly<Record<string, Tensor1D>> & { readonly loss: Tensor1D };
}

/** A loss to differentiate, or a rule that gives its update directions itself (contrastive divergence). */
export type Objective =
  | (Evaluated & { loss(p: Tensors, feeds: Tensors): StepLoss })
  | (Evaluated & { directions(p: Tensors, feeds: Tensors): StepLoss & { readonly gradients: Tensors } });

/** What happens to weights between two phases. */
export interface WeightChange {
  readonly type: 'copy' | 'transpose';
  readonly from: string;
  readonly to: string;
}

/** One part of a training schedule. */
export interface Phase {
  /** as progress shows it: `train`, `pretrain 1/3`, `fine-tune` */
  readonly name: string;
  /** done to the weights before it begins */
  readonly begin: readonly WeightChange[];
  readonly objective: Objective;
  readonly trainable: Parameters;
  /** running values that the objective keeps itself, such as those of batch normalisation */
  readonly statistics: Parameters;
  /** used by the objective, not changed */
  readonly frozen: Parameters;
  /** multiply-adds of a forward pass of one row, about; default one for each parameter, as dense layers have it */
  readonly cost?: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: OptimizerSpec;
  /** measured on the test rows at the end, as `test.…` with this prefix; absent for phases whose result is only a beginning */
  readonly report?: string;
}
