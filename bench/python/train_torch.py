"""PyTorch: eager mode, fused Adam, convolutions in channels-last memory format."""
import sys

import torch
import torch.nn.functional as F
from contender import BATCH, BETA1, BETA2, EPSILON, LEARNING_RATE, LEVELS, PIXELS, SQUARE, serve

torch.set_num_threads(int(sys.argv[1]))
torch.set_flush_denormal(True)


def load(net, parameters, images):
    x = [torch.from_numpy(batch.copy()) for batch in images]
    if net == "photo":
        noise = torch.from_numpy(parameters.pop().transpose(0, 3, 1, 2).copy()).to(memory_format=torch.channels_last)
    if net in ("conv", "photo"):
        # HWIO to OIHW; of the transposed convolution height, width, outputs, inputs to inputs, outputs, height, width
        weights = [
            torch.from_numpy(p.transpose(3, 2, 0, 1).copy()).to(memory_format=torch.channels_last)
            if p.ndim == 4
            else torch.from_numpy(p)
            for p in parameters
        ]
        first = (lambda b: b.reshape(BATCH, 1, 28, 28)) if net == "conv" else (lambda b: b.permute(0, 3, 1, 2))
        x = [first(b).contiguous(memory_format=torch.channels_last) for b in x]
    else:
        # F.linear takes [out, in]
        weights = [torch.from_numpy(p.T.copy() if p.ndim == 2 else p) for p in parameters]
    for w in weights:
        w.requires_grad_(True)
    optimizer = torch.optim.Adam(weights, lr=LEARNING_RATE, betas=(BETA1, BETA2), eps=EPSILON, fused=True)

    def dense(h):
        for i in range(0, len(weights), 2):
            h = F.linear(h, weights[i], weights[i + 1])
            if i + 2 < len(weights):
                h = F.relu(h)
        return h

    def convolutional(h):
        conv = lambda h, i: F.conv2d(h, weights[2 * i], weights[2 * i + 1], padding=1)
        h = F.max_pool2d(F.relu(conv(h, 0)), 2)
        h = F.max_pool2d(F.relu(conv(h, 1)), 2)
        h = F.interpolate(F.relu(conv(h, 2)), scale_factor=2)
        h = F.interpolate(F.relu(conv(h, 3)), scale_factor=2)
        return conv(h, 4)

    def codec(h):
        conv = lambda h, i: F.conv2d(h, weights[2 * i], weights[2 * i + 1], padding=1)
        code = F.conv2d(h, weights[0], weights[1], stride=SQUARE) + noise
        clean = code + conv(F.relu(conv(F.relu(conv(code, 1)), 2)), 3)
        return F.conv_transpose2d(clean, weights[8], weights[9], stride=SQUARE, padding=SQUARE // 2)

    forward = {"conv": convolutional, "photo": codec}.get(net, dense)
    squared = lambda y, x: LEVELS * F.mse_loss(y, x)
    error = squared if net == "photo" else F.binary_cross_entropy_with_logits
    last = [None]

    def step(i):
        loss = error(forward(x[i]), x[i])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        last[0] = loss.detach()

    return step, lambda: float(last[0])


serve(f"PyTorch {torch.__version__}", load)
