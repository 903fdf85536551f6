"""Schemathesis: valid requests name what is there, so that they also succeed. run.mjs made it (see there).

What a schema cannot say is put right as well: parts of a request that must agree with one another. Invalid requests stay as they are."""
import json
import os
import random

import schemathesis

known = json.loads(os.environ["HOURGLASS_KNOWN"])
dials = ("quality", "maxBytes", "psnr")
# for codecs of pictures, which the known model is not
foreign = ("bpp",)
choose = random.Random(1)

JOB = {
    "name": "generated",
    "dataset": known["dataset"],
    "model": {"type": "dense", "code": 2, "hidden": []},
    "training": {"epochs": 1},
}
BODIES = {"/v1/jobs": JOB, "/v1/sweeps": {"job": JOB, "search": {"type": "grid", "parameters": {"/model/code": [1, 2]}}}}


def is_valid(case):
    return case.meta is not None and case.meta.generation.mode.value == "positive"


@schemathesis.hook
def map_case(context, case):
    if not is_valid(case):
        return case
    path, method = case.operation.path, case.method.upper()
    parameters, query = dict(case.path_parameters or {}), dict(case.query or {})
    if choose.random() < 0.6 and method != "DELETE":
        version = "1" if path.startswith("/v2") else 1
        there = {"model": known["model"], "version": version, "file": "report.json", "name": known["dataset"]}
        if path.startswith("/v1/jobs"):
            there["id"] = known["job"]
        parameters.update({name: value for name, value in there.items() if name in parameters})
        if path in BODIES:
            case.body = BODIES[path]
        for member, size in (("inputs", known["values"]), ("codes", known["code"])):
            if isinstance(case.body, dict) and member in case.body:
                case.body = {**case.body, member: [[0.5] * size]}
    # the model is named once
    if isinstance(case.body, dict) and ("inputs" in case.body or "codes" in case.body):
        case.body = {name: value for name, value in case.body.items() if name != "model"}
        if "model" not in parameters:
            query["model"] = known["model"]
    elif path in ("/encode", "/decode", "/denoise", "/reconstruct", "/classify"):
        query["model"] = known["model"]
    # a frame is asked for in Accept, with one of the dials, and has no outliers
    if "/encode" in path and any(name in query for name in (*dials, "kind", "search", "receipt")):
        kept = choose.choice([name for name in dials if name in query] or [None])
        query = {name: value for name, value in query.items() if name not in dials or name == kept}
        for name in ("outliers", *foreign):
            query.pop(name, None)
        case.headers = {**(case.headers or {}), "Accept": "application/vnd.hourglass.frame"}
    # a form carries its name and options, or the query does
    if path == "/v1/datasets" and method == "POST" and case.media_type == "multipart/form-data":
        fields = case.body if isinstance(case.body, dict) else {}
        if "name" in fields:
            query.pop("name", None)
        else:
            query["name"] = known["dataset"]
    # JSON in a text, which a schema of the text does not say
    if path == "/v1/datasets" and method == "POST":
        query.pop("options", None)
        if case.media_type != "multipart/form-data":
            query.setdefault("name", known["dataset"])
    # bytes stand behind JSON
    if path.endswith("/infer") and case.media_type == "application/octet-stream":
        case.body = json.dumps({"inputs": [{"name": "inputs", "datatype": "FP32", "shape": [1, known["values"]], "data": [0.5] * known["values"]}]}).encode()
    if parameters:
        case.path_parameters = parameters
    if query or case.query:
        case.query = query
    return case
