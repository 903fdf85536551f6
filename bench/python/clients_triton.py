"""Drives a running instance with tritonclient and grpcio-health-checking: python clients_triton.py HTTP_PORT GRPC_PORT. Prints one JSON line for each check."""

import itertools
import json
import sys
import traceback

import grpc
import numpy as np
import tritonclient.grpc as tgrpc
import tritonclient.http as thttp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.utils import InferenceServerException

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


triton = thttp.InferenceServerClient(rest)


def infer_rest(binary_in, output, compression):
    tensor = thttp.InferInput("inputs", row.shape, "FP32")
    tensor.set_data_from_numpy(row, binary_data=binary_in)
    outputs = None if output == "default" else [thttp.InferRequestedOutput("codes", binary_data=output == "binary")]
    found = triton.infer(
        "digits",
        [tensor],
        outputs=outputs,
        request_id="7",
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    assert found.get_response()["id"] == "7"
    equal(found.as_numpy("codes"))


for binary_in, output, compression in itertools.product([True, False], ["binary", "json", "default"], [None, "gzip", "deflate"]):
    name = f"{'binary' if binary_in else 'JSON'} in, {output} out, {compression or 'not compressed'}"
    check("tritonclient.http", name, lambda: infer_rest(binary_in, output, compression))


def typed_rest(dtype, datatype):
    values = (np.arange(784) % 2).astype(dtype).reshape(1, 784)
    tensor = thttp.InferInput("inputs", values.shape, datatype)
    tensor.set_data_from_numpy(values, binary_data=True)
    equal(triton.infer("digits", [tensor]).as_numpy("codes"), values[:, :32].astype(np.float32))


for dtype, datatype in [("float16", "FP16"), ("float64", "FP64"), ("int8", "INT8"), ("int32", "INT32"), ("int64", "INT64"), ("uint8", "UINT8"), ("bool", "BOOL")]:
    check("tritonclient.http", f"input of {datatype}", lambda: typed_rest(dtype, datatype))


def metadata_rest():
    assert triton.is_server_live() and triton.is_server_ready() and triton.is_model_ready("digits")
    assert "binary_tensor_data" in triton.get_server_metadata()["extensions"]
    model = triton.get_model_metadata("digits.decode")
    assert model["inputs"] == [{"name": "codes", "datatype": "FP32", "shape": [-1, 32]}], model
    assert model["outputs"][0]["shape"] == [-1, 28, 28, 1], model
    assert triton.get_model_config("digits")["input"][0]["dims"] == [28, 28, 1]
    index = triton.get_model_repository_index()
    assert {"digits", "digits.decode"} <= {entry["name"] for entry in index}, index
    triton.load_model("digits")
    triton.unload_model("digits")
    triton.load_model("digits")
    stats = triton.get_inference_statistics("digits")["model_stats"][0]
    assert stats["inference_count"] > 0, stats


check("tritonclient.http", "health, metadata, config, repository, statistics", metadata_rest)


def refused(ask, *texts):
    try:
        ask()
    except InferenceServerException as error:
        assert all(text in str(error) for text in texts), str(error)
        return
    raise AssertionError("was not refused")


def ask_rest(model="digits", name="inputs", shape=(1, 784), version=""):
    tensor = thttp.InferInput(name, shape, "FP32")
    tensor.set_data_from_numpy(np.zeros(shape, np.float32))
    return triton.infer(model, [tensor], model_version=version)


check("tritonclient.http", "a model that is not there", lambda: refused(lambda: ask_rest(model="nobody"), "nobody"))
check("tritonclient.http", "a version", lambda: ask_rest(version="1"))
check("tritonclient.http", "a version that is not there", lambda: refused(lambda: ask_rest(version="77"), "77"))
check("tritonclient.http", "an input of another name", lambda: refused(lambda: ask_rest(name="x"), "inputs"))
check("tritonclient.http", "a wrong shape", lambda: refused(lambda: ask_rest(shape=(1, 5)), "784"))


def strings_rest():
    tensor = thttp.InferInput("inputs", (1, 1), "BYTES")
    tensor.set_data_from_numpy(np.array([["x"]], dtype=object))
    return triton.infer("digits", [tensor])


check("tritonclient.http", "an input of BYTES is refused by name", lambda: refused(strings_rest, "BYTES"))


channel = tgrpc.InferenceServerClient(rpc)


def infer_grpc(values=row, model="digits", name="inputs", output="codes"):
    tensor = tgrpc.InferInput(name, values.shape, "FP32")
    tensor.set_data_from_numpy(values)
    return channel.infer(model, [tensor], request_id="8", outputs=[tgrpc.InferRequestedOutput(output)])


check("tritonclient.grpc", "infer", lambda: equal(infer_grpc().as_numpy("codes")))


def large_grpc(mebibytes):
    rows = mebibytes * 2**20 // (784 * 4)
    values = np.tile(row.reshape(1, 784), (rows, 1))
    equal(infer_grpc(values).as_numpy("codes"), values[:, :32])
    codes = np.tile(code, (rows, 1))
    found = infer_grpc(codes, "digits.decode", "codes", "outputs").as_numpy("outputs")
    assert found.shape == (rows, 784) and np.array_equal(found[-1, :32], code[0])


for mebibytes in [1, 8, 40]:
    check("tritonclient.grpc", f"{mebibytes} MiB in and out", lambda: large_grpc(mebibytes))


def metadata_grpc():
    assert channel.is_server_live() and channel.is_server_ready() and channel.is_model_ready("digits", "1")
    assert channel.get_server_metadata(as_json=True)["name"] == "hourglass"
    model = channel.get_model_metadata("digits", as_json=True)
    assert model["inputs"][0]["shape"] == ["-1", "28", "28", "1"], model
    assert channel.get_model_config("digits", as_json=True)["config"]["backend"] == "hourglass"
    assert "digits.denoise" in [entry.name for entry in channel.get_model_repository_index().models]
    channel.load_model("digits")
    assert int(channel.get_inference_statistics("digits").model_stats[0].inference_count) > 0


check("tritonclient.grpc", "health, metadata, config, repository, statistics", metadata_grpc)
check("tritonclient.grpc", "a model that is not there", lambda: refused(lambda: infer_grpc(model="nobody"), "nobody"))
check("tritonclient.grpc", "an output that is not there", lambda: refused(lambda: infer_grpc(output="z"), "codes"))


def stream_grpc():
    found = []
    tensor = tgrpc.InferInput("inputs", row.shape, "FP32")
    tensor.set_data_from_numpy(row)
    client = tgrpc.InferenceServerClient(rpc)
    client.start_stream(lambda result, error: found.append(error or result))
    for model in ["digits", "nobody", "digits"]:
        client.async_stream_infer(model, [tensor])
    client.stop_stream()
    assert len(found) == 3, found
    equal(found[0].as_numpy("codes"))
    assert isinstance(found[1], InferenceServerException), found[1]
    equal(found[2].as_numpy("codes"))


check("tritonclient.grpc", "a stream of three, one of which fails", stream_grpc)


def health():
    stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(rpc))
    for service in ["", "inference.GRPCInferenceService", "hourglass.v1.InferenceService"]:
        assert stub.Check(health_pb2.HealthCheckRequest(service=service)).status == 1, service


check("grpcio-health-checking", "the new service is listed as serving", health)
sys.exit(1 if failed else 0)
