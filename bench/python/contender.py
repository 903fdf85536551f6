"""What the Python contenders of the training benchmark share: nets, data and the line protocol (bench/train/protocol.ts)."""
import json
import os
import sys
import time

import numpy as np

BATCH, PIXELS, BATCHES = 128, 784, 16
LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-10
UNITS = {
    "mlp": [784, 128, 32, 128, 784],
    "deep": [784, 1000, 500, 250, 30, 250, 500, 1000, 784],
}
CHANNELS = [1, 16, 8, 8, 16, 1]
# the photographs' codec (bench/train/photo.ts): weights and biases, then the noise, which is not trained
PHOTO_BATCH, PHOTO_BATCHES, PHOTO_SIDE, SQUARE, LEVELS = 16, 4, 128, 8, 255**2
PHOTO = [
    [8, 8, 3, 192], [192], [3, 3, 192, 32], [32], [3, 3, 32, 32], [32], [3, 3, 32, 192], [192], [16, 16, 3, 192], [3],
    [16, 16, 16, 192],
]


def shapes(net):
    """Shapes of the parameters in file order: weights [in, out] or [3, 3, in, out], then biases [out]."""
    if net == "photo":
        return PHOTO
    sizes = CHANNELS if net == "conv" else UNITS[net]
    kernel = [3, 3] if net == "conv" else []
    return [s for i, o in zip(sizes, sizes[1:]) for s in (kernel + [i, o], [o])]


def read_parameters(path, net):
    flat, out, at = np.fromfile(path, np.float32), [], 0
    for shape in shapes(net):
        size = int(np.prod(shape))
        out.append(flat[at : at + size].reshape(shape).copy())
        at += size
    assert at == flat.size
    return out


def read_images(path, net):
    flat = np.fromfile(path, np.float32)
    if net == "photo":
        return flat.reshape(PHOTO_BATCHES, PHOTO_BATCH, PHOTO_SIDE, PHOTO_SIDE, 3)
    return flat.reshape(BATCHES, BATCH, PIXELS)


def serve(version, load):
    """Answers commands until stdin closes. `load(net, parameters, images)` returns `step(batch_index)`, which starts a
    step, and `finish()`, which waits for it and returns the loss."""
    step = finish = None
    done = 0
    batches = BATCHES
    protocol = os.fdopen(os.dup(1), "w")  # libraries that print do not disturb the protocol
    os.dup2(2, 1)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if command["do"] == "load":
                net = command["net"]
                images = read_images(command["images"], net)
                batches = len(images)
                step, finish = load(net, read_parameters(command["parameters"], net), images)
                done = 0
                answer = {"version": version}
            else:
                began, used = time.perf_counter(), time.process_time()
                for _ in range(command["steps"]):
                    step(done % batches)
                    done += 1
                loss = finish()
                answer = {
                    "milliseconds": (time.perf_counter() - began) * 1e3,
                    "processor": (time.process_time() - used) * 1e3,
                    "loss": loss,
                }
        except Exception as error:  # reported to the parent, which goes on with the others
            answer = {"error": f"{type(error).__name__}: {error}"}
        protocol.write(json.dumps(answer) + "\n")
        protocol.flush()
