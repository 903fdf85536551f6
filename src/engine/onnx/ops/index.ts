/** Fills the table of lowerings. */

import './convolution.ts';
import './elementwise.ts';
import './linalg.ts';
import './movement.ts';
import './pooling.ts';
import './reduction.ts';
