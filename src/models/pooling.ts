/**
 * Max-pooling over 2 × 2 and its approximate inverses. A doubled picture is the pooled one times a mask over the four places:
 *
 *   [batch, h, w, c] ─► [batch, h, 1, w, 1, c] × mask [·, ·, 2, ·, 2, ·] ─► [batch, 2h, 2w, c]
 *
 *   even      ¼ at every place: what a random place gives on average
 *   random    1 at one place drawn at random, else 0
 *   switches  1 where the largest value was, else 0 (Zeiler & Fergus 2014)
 *
 * Masci, Meier, Cireşan & Schmidhuber 2011, "Stacked convolutional auto-encoders for hierarchical feature extraction".
 */

import * as tf from '@tensorflow/tfjs-core';

/** The places of a 2 × 2 block in reading order. */
const places = [0, 1, 2, 3] as const;

function blocks(x: tf.Tensor): tf.Tensor {
  const [batch = 0, height = 0, width = 0, channels = 0] = x.shape;
  return tf.reshape(x, [batch, height / 2, 2, width / 2, 2, channels]);
}

/** [batch, 2h, 2w, c] → [batch, h, w, c] */
export const maxPool = (x: tf.Tensor): tf.Tensor => tf.max(blocks(x), [2, 4]);

/** [batch, 2h, 2w, c] → [batch, h, w, c]: the place of each block's largest value, 0 to 3; the first of equals. No gradient. */
export function switchesOf(x: tf.Tensor): tf.Tensor {
  const find = tf.customGrad((input) => {
    const whole = blocks(input as tf.Tensor);
    const [batch = 0, height = 0, , width = 0, , channels = 0] = whole.shape;
    const largest = tf.max(whole, [2, 4]);
    let found: tf.Tensor = tf.fill([batch, height, width, channels], 0);
    // from the last place to the first, so that the first of equals wins
    for (const place of places.toReversed()) {
      const values = tf.reshape(
        tf.slice(whole, [0, 0, place >> 1, 0, place & 1, 0], [batch, height, 1, width, 1, channels]),
        [batch, height, width, channels],
      );
      found = tf.where(tf.equal(values, largest), tf.scalar(place), found);
    }
    return { value: found, gradFunc: () => tf.zeros(x.shape) };
  });
  return find(x);
}

/** Spreads [batch, h, w, c] over [batch, 2h, 2w, c] by a mask that broadcasts to [batch, h, 2, w, 2, c]. */
function spread(x: tf.Tensor, mask: tf.Tensor): tf.Tensor {
  const [batch = 0, height = 0, width = 0, channels = 0] = x.shape;
  const apart = tf.reshape(x, [batch, height, 1, width, 1, channels]);
  return tf.reshape(tf.mul(apart, mask), [batch, 2 * height, 2 * width, channels]);
}

export const unpoolEven = (x: tf.Tensor): tf.Tensor => spread(x, tf.fill([1, 1, 2, 1, 2, 1], 0.25));

/** `where` holds a place (0 to 3, in steps of 1) for each value of x and has its shape. */
export function unpoolAt(x: tf.Tensor, where: tf.Tensor): tf.Tensor {
  const [batch = 0, height = 0, width = 0, channels = 0] = x.shape;
  const wanted = tf.reshape(where, [batch, height, 1, width, 1, channels]);
  const offered = tf.tensor(places.slice(), [1, 1, 2, 1, 2, 1]);
  const chosen = tf.customGrad((place) => ({
    value: tf.cast(tf.less(tf.abs(tf.sub(place as tf.Tensor, offered)), 0.5), 'float32') as tf.Tensor,
    gradFunc: () => tf.zeros(wanted.shape),
  }));
  return spread(x, chosen(wanted));
}

/** `noise` is uniform in [0, 1) and has the shape of x. */
export const unpoolRandom = (x: tf.Tensor, noise: tf.Tensor): tf.Tensor =>
  unpoolAt(x, tf.floor(tf.mul(noise, places.length)));
