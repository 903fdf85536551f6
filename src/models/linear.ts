/**
 * Undercomplete linear autoencoder. At its optimum it spans the same subspace as the first k principal components.
 *
 *   x ─► z = x·W + b ─► x̂ = z·W′ + b′        min Σ ‖x̂ − x‖²  ⇒  span(W′) = span(first k eigenvectors of the covariance)
 *
 * Baldi & Hornik 1989, "Neural networks and principal component analysis: learning from examples without local minima".
 */

import type { Shape } from '../base/ndarray.ts';
import type { Loss } from '../jobspec/model.ts';
import type { Autoencoder } from './autoencoder.ts';
import { denseAutoencoder } from './dense.ts';

export const linearAutoencoder = ({ code, loss }: { code: number; loss: Loss }, inputShape: Shape): Autoencoder =>
  denseAutoencoder(
    {
      code,
      hidden: [],
      activation: 'linear',
      codeActivation: 'linear',
      outputActivation: 'linear',
      loss,
      tied: false,
    },
    inputShape,
  );
