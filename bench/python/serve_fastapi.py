"""The encoder behind FastAPI and ONNX Runtime, as most people would write it: python serve_fastapi.py encoder.onnx PORT"""

import sys

import numpy as np
import onnxruntime as ort
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
app = FastAPI()


class Rows(BaseModel):
    inputs: list[list[float]]


@app.post("/encode")
def encode(rows: Rows):
    codes = session.run(None, {name: np.asarray(rows.inputs, dtype=np.float32)})[0]
    return {"model": "digits", "version": 1, "codes": codes.tolist()}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
