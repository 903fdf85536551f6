"""A whole training job in PyTorch: a DataLoader, validation and a checkpoint at each epoch, a score on the test rows, the model saved."""
import json
import os
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

task = json.loads(sys.argv[1])
torch.set_num_threads(task["threads"])
torch.set_flush_denormal(True)
torch.manual_seed(1)
rows = torch.from_numpy(np.fromfile(task["train"], np.float32).reshape(-1, 784))
test = torch.from_numpy(np.fromfile(task["test"], np.float32).reshape(-1, 784))
kept = len(rows) - task["heldOut"]
batch = task["batch"]
train_loader = DataLoader(TensorDataset(rows[:kept]), batch_size=batch, shuffle=True, drop_last=True)
held_out_loader = DataLoader(TensorDataset(rows[kept:]), batch_size=batch)


def stack(units):
    parts = []
    for i, o in zip(units, units[1:]):
        parts += [nn.Linear(i, o), nn.ReLU()]
    return parts[:-1]


units = [784, *task["hidden"], task["code"]]
model = nn.Sequential(*stack(units), *stack(units[::-1]))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
seconds = []
for epoch in range(task["epochs"]):
    began = time.perf_counter()
    model.train()
    for (x,) in train_loader:
        loss = F.binary_cross_entropy_with_logits(model(x), x)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        held_out = sum(float(F.binary_cross_entropy_with_logits(model(x), x)) * len(x) for (x,) in held_out_loader)
    torch.save(
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch, "held_out": held_out},
        os.path.join(task["folder"], "last.pt"),
    )
    seconds.append(time.perf_counter() - began)
with torch.no_grad():
    errors = [((torch.sigmoid(model(x)) - x) ** 2).mean(dim=1) for x in test.split(batch)]
torch.save(model.state_dict(), os.path.join(task["folder"], "model.pt"))
usage = resource.getrusage(resource.RUSAGE_SELF)
megabytes = usage.ru_maxrss / 1000
processor = usage.ru_utime + usage.ru_stime
print(json.dumps({"epochs": seconds, "megabytes": megabytes, "processorSeconds": processor, "testMse": float(torch.cat(errors).mean())}))
