"""Schemathesis: values that exist on the server under test, so that calls also succeed. run.mjs made them (see there)."""
import json
import os

import schemathesis

known = json.loads(os.environ["HOURGLASS_KNOWN"])


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Half of the calls name what is there; the rest keeps what was generated."""
    if not path_parameters or hash(json.dumps(path_parameters, sort_keys=True, default=str)) % 2:
        return path_parameters
    path = context.operation.path
    values = dict(path_parameters)
    for name in values:
        if name == "model" and context.operation.method.upper() != "DELETE":
            values[name] = known["model"]
        elif name == "version" and context.operation.method.upper() != "DELETE":
            values[name] = 1
        elif name == "id" and path.startswith("/v1/jobs"):
            values[name] = known["job"]
        elif name == "name" and context.operation.method.upper() != "DELETE":
            values[name] = known["dataset"]
        elif name == "file":
            values[name] = "report.json"
    return values


@schemathesis.hook
def map_body(context, body):
    """Rows of the model's size, and jobs on the data set that is there and that are over at once."""
    if not isinstance(body, dict) or hash(json.dumps(body, sort_keys=True, default=str)) % 2:
        return body
    path = context.operation.path
    if path in ("/v1/jobs", "/v1/sweeps"):
        job = {
            "name": "generated",
            "dataset": known["dataset"],
            "model": {"type": "dense", "code": 2, "hidden": []},
            "training": {"epochs": 1},
        }
        if path == "/v1/jobs":
            return job
        return {"job": job, "search": {"type": "grid", "parameters": {"/model/code": [1, 2]}}}
    for member, size in (("inputs", known["values"]), ("codes", known["code"])):
        if isinstance(body.get(member), list):
            return {"model": known["model"], member: [[0.5] * size]}
    return body
