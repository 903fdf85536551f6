"""Keras on TensorFlow: the compiled train step of `Model.fit`, called directly so that its Python overhead stays out."""
import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import tensorflow as tf
from contender import BETA1, BETA2, EPSILON, LEARNING_RATE, UNITS, CHANNELS, serve
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


def load(net, parameters, images):
    keras.backend.clear_session()
    model = build(net)
    model.set_weights(parameters)
    optimizer = keras.optimizers.Adam(LEARNING_RATE, BETA1, BETA2, EPSILON)
    optimizer.build(model.trainable_variables)
    x = [tf.constant(batch) for batch in images]
    jit = os.environ.get("KERAS_JIT") == "1"

    @tf.function(jit_compile=jit)
    def train(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=model(x, training=True)))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss

    last = [None]

    def step(i):
        last[0] = train(x[i])

    return step, lambda: float(last[0])


serve(f"Keras {keras.__version__} on TensorFlow {tf.__version__}", load)
