"""Keras on TensorFlow: the compiled train step of `Model.fit`, called directly so that its Python overhead stays out."""
import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import tensorflow as tf
from contender import BETA1, BETA2, EPSILON, LEARNING_RATE, LEVELS, PHOTO_SIDE, SQUARE, UNITS, CHANNELS, serve
from keras import layers

tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
tf.config.threading.set_inter_op_parallelism_threads(1)


def build(net):
    if net != "conv":
        units = UNITS[net]
        hidden = [layers.Dense(n, activation="relu") for n in units[1:-1]]
        return keras.Sequential([layers.Input((units[0],)), *hidden, layers.Dense(units[-1])])
    conv = lambda n, activation="relu": layers.Conv2D(n, 3, padding="same", activation=activation)
    return keras.Sequential(
        [
            layers.Input((784,)),
            layers.Reshape((28, 28, 1)),
            conv(CHANNELS[1]),
            layers.MaxPooling2D(),
            conv(CHANNELS[2]),
            layers.MaxPooling2D(),
            conv(CHANNELS[3]),
            layers.UpSampling2D(),
            conv(CHANNELS[4]),
            layers.UpSampling2D(),
            conv(CHANNELS[5], None),
            layers.Flatten(),
        ]
    )


class Noise(layers.Layer):
    def __init__(self, noise):
        super().__init__()
        self.noise = tf.constant(noise)

    def call(self, x):
        return x + self.noise


def codec(noise):
    conv = lambda n, activation=None: layers.Conv2D(n, 3, padding="same", activation=activation)
    wide, hidden = noise.shape[-1], 32
    x = layers.Input((PHOTO_SIDE, PHOTO_SIDE, 3), batch_size=len(noise))
    code = Noise(noise)(layers.Conv2D(wide, SQUARE, strides=SQUARE)(x))
    inner = conv(hidden, "relu")(conv(hidden, "relu")(code))
    clean = layers.Add()([code, conv(wide)(inner)])
    y = layers.Conv2DTranspose(3, 2 * SQUARE, strides=SQUARE, padding="same")(clean)
    return keras.Model(x, y)


def load(net, parameters, images):
    keras.backend.clear_session()
    model = codec(parameters.pop()) if net == "photo" else build(net)
    model.set_weights(parameters)
    optimizer = keras.optimizers.Adam(LEARNING_RATE, BETA1, BETA2, EPSILON)
    optimizer.build(model.trainable_variables)
    x = [tf.constant(batch) for batch in images]
    jit = os.environ.get("KERAS_JIT") == "1"

    @tf.function(jit_compile=jit)
    def train(x):
        with tf.GradientTape() as tape:
            y = model(x, training=True)
            squared = net == "photo"
            errors = LEVELS * (y - x) ** 2 if squared else tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=y)
            loss = tf.reduce_mean(errors)
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss

    last = [None]

    def step(i):
        last[0] = train(x[i])

    return step, lambda: float(last[0])


serve(f"Keras {keras.__version__} on TensorFlow {tf.__version__}", load)
