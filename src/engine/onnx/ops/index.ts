/** Fills the table of lowerings. */

import './convolution.ts';
import './elementwise.ts';
import './image.ts';
import './indexing.ts';
import './linalg.ts';
import './movement.ts';
import './normalization.ts';
import './pooling.ts';
import './reduction.ts';
