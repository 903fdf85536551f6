"""A whole training job in Keras: `fit` with validation, a checkpoint at each epoch, a score on the test rows, the model saved."""
import json
import os
import resource
import sys
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np

task = json.loads(sys.argv[1])
import keras
import tensorflow as tf
from keras import layers

tf.config.threading.set_intra_op_parallelism_threads(task["threads"])
tf.config.threading.set_inter_op_parallelism_threads(1)
keras.utils.set_random_seed(1)
rows = np.fromfile(task["train"], np.float32).reshape(-1, 784)
test = np.fromfile(task["test"], np.float32).reshape(-1, 784)
kept = len(rows) - task["heldOut"]
dense = [layers.Dense(n, activation="relu") for n in [*task["hidden"]]]
back = [layers.Dense(n, activation="relu") for n in reversed(task["hidden"])]
model = keras.Sequential(
    [layers.Input((784,)), *dense, layers.Dense(task["code"]), *back, layers.Dense(784, activation="sigmoid")]
)
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="binary_crossentropy")


class Times(keras.callbacks.Callback):
    seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.began)


times = Times()
checkpoint = keras.callbacks.ModelCheckpoint(os.path.join(task["folder"], "last.keras"))
train = rows[:kept]
model.fit(
    train,
    train,
    validation_data=(rows[kept:], rows[kept:]),
    epochs=task["epochs"],
    batch_size=task["batch"],
    verbose=0,
    callbacks=[checkpoint, times],
)
mse = float(np.mean((model.predict(test, batch_size=task["batch"], verbose=0) - test) ** 2))
model.save(os.path.join(task["folder"], "model.keras"))
usage = resource.getrusage(resource.RUSAGE_SELF)
megabytes = usage.ru_maxrss / 1000
processor = usage.ru_utime + usage.ru_stime
print(json.dumps({"epochs": times.seconds, "megabytes": megabytes, "processorSeconds": processor, "testMse": mse}))
