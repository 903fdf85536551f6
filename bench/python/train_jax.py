"""JAX: one jitted step, parameters and Adam moments donated."""
import jax
import jax.numpy as jnp
from contender import BATCH, BETA1, BETA2, EPSILON, LEARNING_RATE, LEVELS, PIXELS, SQUARE, serve
from jax import lax


def dense(p, h):
    for i in range(0, len(p), 2):
        h = h @ p[i] + p[i + 1]
        if i + 2 < len(p):
            h = jax.nn.relu(h)
    return h


def convolutional(p, h):
    def conv(h, i):
        dims = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(h, p[2 * i], (1, 1), "SAME", dimension_numbers=dims) + p[2 * i + 1]

    def pool(h):
        return lax.reduce_window(h, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def up(h):
        return jnp.repeat(jnp.repeat(h, 2, axis=1), 2, axis=2)

    h = h.reshape(BATCH, 28, 28, 1)
    h = pool(jax.nn.relu(conv(h, 0)))
    h = pool(jax.nn.relu(conv(h, 1)))
    h = up(jax.nn.relu(conv(h, 2)))
    h = up(jax.nn.relu(conv(h, 3)))
    return conv(h, 4).reshape(BATCH, PIXELS)


def codec(p, noise, x):
    dims = ("NHWC", "HWIO", "NHWC")

    def conv(h, i, stride=1, padding="SAME"):
        return lax.conv_general_dilated(h, p[2 * i], (stride, stride), padding, dimension_numbers=dims) + p[2 * i + 1]

    code = conv(x, 0, SQUARE, "VALID") + noise
    clean = code + conv(jax.nn.relu(conv(jax.nn.relu(conv(code, 1)), 2)), 3)
    strides = (SQUARE, SQUARE)
    return lax.conv_transpose(clean, p[8], strides, "SAME", dimension_numbers=dims, transpose_kernel=True) + p[9]


def load(net, parameters, images):
    forward = convolutional if net == "conv" else dense
    noise = jnp.asarray(parameters.pop()) if net == "photo" else None

    def loss_of(p, x):
        if net == "photo":
            return LEVELS * jnp.mean((codec(p, noise, x) - x) ** 2)
        z = forward(p, x)
        return jnp.mean(jax.nn.relu(z) - z * x + jnp.log1p(jnp.exp(-jnp.abs(z))))

    def update(state, x):
        t, p, m, v = state
        t = t + 1
        loss, g = jax.value_and_grad(loss_of)(p, x)
        rate = LEARNING_RATE * jnp.sqrt(1 - BETA2**t) / (1 - BETA1**t)
        m = [BETA1 * m + (1 - BETA1) * g for m, g in zip(m, g)]
        v = [BETA2 * v + (1 - BETA2) * g * g for v, g in zip(v, g)]
        p = [p - rate * m / (jnp.sqrt(v) + EPSILON) for p, m, v in zip(p, m, v)]
        return (t, p, m, v), loss

    update = jax.jit(update, donate_argnums=0)
    x = [jax.device_put(batch) for batch in images]
    p = [jnp.asarray(a) for a in parameters]
    held = [(jnp.float32(0), p, [jnp.zeros_like(a) for a in p], [jnp.zeros_like(a) for a in p]), None]

    def step(i):
        held[0], held[1] = update(held[0], x[i])

    def finish():
        jax.block_until_ready(held[0])
        return float(held[1])

    return step, finish


serve(f"JAX {jax.__version__}", load)
