"""Checks every exported file of a folder: ONNX's own checker accepts it, and
ONNX Runtime's Python package computes what the kernels computed. Beside
NAME.onnx lies NAME.json: {"inputs": {...}, "outputs": {...}}, each a shape and
values.

  python check.py FOLDER
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 1e-5


def array(tensor, dtype):
    return np.array(tensor["values"], dtype=dtype).reshape(tensor["shape"])


def check(path):
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    case = json.loads(path.with_suffix(".json").read_text())
    types = {i.name: np.int32 if i.type == "tensor(int32)" else np.float32 for i in session.get_inputs()}
    assert types.keys() == case["inputs"].keys(), (path.name, types, case["inputs"].keys())
    got = session.run(None, {name: array(t, types[name]) for name, t in case["inputs"].items()})
    worst = 0.0
    for info, values in zip(session.get_outputs(), got):
        want = array(case["outputs"][info.name], np.float32)
        assert values.shape == want.shape, (path.name, info.name, values.shape, want.shape)
        worst = max(worst, float(np.max(np.abs(values - want) / np.maximum(1, np.abs(want)))))
    assert worst <= TOLERANCE, (path.name, worst)
    return worst


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
    assert paths, "no files to check"
    worst = max(check(path) for path in paths)
    print(f"{len(paths)} files accepted by onnx {onnx.__version__}, computed alike by onnxruntime {onnxruntime.__version__}; largest difference {worst:.1e}")


main()
