"""A server of an ONNX network with FastAPI: the file is named by the variable MODEL.

It does the least that it can: the body is parsed without validation, by the
fastest parser, and the session runs on one thread within the event loop.
"""

import os

import numpy as np
import onnxruntime
import orjson
from fastapi import FastAPI, Request, Response

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
app = FastAPI()


@app.get("/v2/health/ready")
async def ready():
    return Response()


@app.post("/v2/models/network/infer")
async def infer(request: Request):
    body = orjson.loads(await request.body())
    feed = {i["name"]: np.asarray(i["data"], np.float32).reshape(i["shape"]) for i in body["inputs"]}
    (p,) = session.run(["probability"], feed)
    output = {"name": "probability", "shape": p.shape, "datatype": "FP32", "data": p.ravel()}
    return Response(orjson.dumps({"model_name": "network", "outputs": [output]}, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
