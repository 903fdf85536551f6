"""Drives a running instance with kserve's clients: python clients_kserve.py HTTP_PORT GRPC_PORT. A process of its own, because
kserve and tritonclient bring the same protobuf messages. Prints one JSON line for each check."""

import asyncio
import json
import sys
import traceback

import numpy as np

http_port, grpc_port = sys.argv[1:]
rest, rpc = f"127.0.0.1:{http_port}", f"127.0.0.1:{grpc_port}"
failed = False

def check(group, name, run):
    global failed
    try:
        run()
        print(json.dumps({"group": group, "name": name, "ok": True}), flush=True)
    except Exception as error:
        failed = True
        traceback.print_exc()
        print(json.dumps({"group": group, "name": name, "ok": False, "why": str(error)[:300]}), flush=True)


# `digits` of the fixture: a code is the first 32 of 784 values.
row = np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 28, 28, 1)
code = row.reshape(1, 784)[:, :32]


def equal(found, wanted=code):
    assert found is not None, "no such output"
    assert found.shape == wanted.shape, f"{found.shape} instead of {wanted.shape}"
    assert found.dtype == np.float32, found.dtype
    assert np.array_equal(found, wanted), "other numbers"


def kserve_rest():
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    async def ask(binary):
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        base = f"http://{rest}"
        assert await client.is_server_live(base) and await client.is_server_ready(base)
        assert await client.is_model_ready(base, "digits")
        tensor = InferInput("inputs", list(row.shape), "FP32")
        tensor.set_data_from_numpy(row, binary_data=binary)
        answer = await client.infer(base, InferRequest("digits", [tensor]), model_name="digits")
        equal(answer.outputs[0].as_numpy())

    for binary in [True, False]:
        asyncio.run(ask(binary))


check("kserve", "REST: health, infer with binary and JSON inputs", kserve_rest)


def kserve_grpc():
    from kserve import InferenceGRPCClient, InferInput, InferRequest

    async def ask():
        client = InferenceGRPCClient(rpc)
        assert await client.is_server_ready() and await client.is_server_live() and await client.is_model_ready("digits")
        for binary in [True, False]:
            tensor = InferInput("inputs", list(row.shape), "FP32")
            tensor.set_data_from_numpy(row, binary_data=binary)
            answer = await client.infer(InferRequest("digits", [tensor]))
            equal(answer.outputs[0].as_numpy())

    asyncio.run(ask())


check("kserve", "gRPC: health, infer", kserve_grpc)


sys.exit(1 if failed else 0)
