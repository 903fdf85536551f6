/**
 * The line protocol of the training benchmark: the parent writes a command, the contender (Node or Python) answers it.
 *   load   builds a net with its initial parameters and zero Adam moments; answers the version of what runs it
 *   round  takes that many steps, going on through the data; answers the time they took and the last step's loss
 */

import type { NetName } from './nets.ts';

export type Command =
  /** `parameters`: float32 of all parameters and then of the constants, one after the other · `images`: float32 [batches, batch, pixels] */
  | { readonly do: 'load'; readonly net: NetName; readonly parameters: string; readonly images: string }
  | { readonly do: 'round'; readonly steps: number };

export type Answer =
  | { readonly version: string }
  /** `processor`: milliseconds of all threads of the contender */
  | { readonly milliseconds: number; readonly processor: number; readonly loss: number }
  | { readonly error: string };
