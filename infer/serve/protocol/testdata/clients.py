"""Asks a running server for scores as real clients do, and demands those of moments score, to the bit.

The folder holds a customer base with task files and their bundles, as .ci/serve
makes them: events.csv and profiles.csv; for each of the models table and
sequence what moments score has written, MODEL.jsonl; features.csv, the encoded
rows of table; and models/classifier-0.onnx, the exported network of table. Only
sequence looks for anomalies.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys

import grpc
import numpy as np
import onnxruntime
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

AT = "2025-07-05T00:00:00Z"
NUMBERS = {"age", "amount", "satisfaction", "stars"}
TARGETS = {"conversion": np.float32, "churn": np.float32}
OUTPUTS = {"table": TARGETS, "sequence": TARGETS | {"anomaly": np.float64, "anomaly_score": np.float32}}
ONNX = "classifier-0"


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--folder", type=pathlib.Path, required=True)
    p.add_argument("--http", required=True, metavar="HOST:PORT")
    p.add_argument("--grpc", required=True, metavar="HOST:PORT")
    p.add_argument("--journeys", type=int, default=60, help="customers to score")
    options = p.parse_args()
    Clients(options).check()


class Clients:
    def __init__(self, options):
        self.options = options
        self.url = f"http://{options.http}"
        self.http = triton_http.InferenceServerClient(options.http)
        self.grpc = triton_grpc.InferenceServerClient(options.grpc)
        self.channel = grpc.insecure_channel(options.grpc)
        self.stub = service_pb2_grpc.GRPCInferenceServiceStub(self.channel)
        self.journeys = read_journeys(options.folder)
        self.checks = 0

    def check(self):
        self.metadata()
        for model in ("table", "sequence"):
            want = read_scores(self.options.folder / f"{model}.jsonl")
            customers = sorted(want)[: self.options.journeys]
            self.score_api(model, customers, want)
            self.journey_inputs(model, customers, want)
        self.rows()
        self.tensors()
        self.repository()
        self.wrong()
        print(f"clients: {self.checks} checks of curl and tritonclient, all equal to moments score to the bit")

    # --- what a client asks first

    def metadata(self):
        for client in (self.http, self.grpc):
            self.true("live", client.is_server_live())
            self.true("ready", client.is_server_ready())
            self.true("model ready", client.is_model_ready("table"))
            self.true("unknown model", not client.is_model_ready("nobody"))
        self.true("name", self.http.get_server_metadata()["name"] == "moments")
        self.true("name", self.grpc.get_server_metadata().name == "moments")
        inputs = [i["name"] for i in self.http.get_model_metadata("table")["inputs"]]
        self.equal("inputs", inputs, ["journey", "features", "categories"])
        self.equal("inputs", [i.name for i in self.grpc.get_model_metadata("sequence").inputs], ["journey"])
        health = health_pb2_grpc.HealthStub(self.channel).Check(health_pb2.HealthCheckRequest())
        self.equal("health", health.status, health_pb2.HealthCheckResponse.SERVING)

    # --- journeys

    def score_api(self, model, customers, want):
        """POST /v1/score with curl, many journeys and one."""
        body = {"model": model, "journeys": [self.journeys[c] for c in customers]}
        rows = self.curl("/v1/score", body)["journeys"]
        self.equal("rows", len(rows), len(customers))
        for customer, row in zip(customers, rows):
            self.same_row(model, customer, row, want[customer])
        one = self.curl("/v1/score", {"model": model, **self.journeys[customers[0]]})
        self.same_row(model, customers[0], one, want[customers[0]])

    def same_row(self, model, customer, row, want):
        for name, dtype in OUTPUTS[model].items():
            got = row["scores"].get(name, row.get(name))
            self.equal(f"{name} of {customer}", dtype(got).tobytes(), dtype(want[name]).tobytes())

    def journey_inputs(self, model, customers, want):
        texts = np.array([json.dumps(self.journeys[c]) for c in customers], dtype=object)
        expected = arrays(model, customers, want)
        for binary in (True, False):
            for compression in (None, "gzip", "deflate"):
                tensor = triton_http.InferInput("journey", [len(texts)], "BYTES")
                tensor.set_data_from_numpy(texts, binary_data=binary)
                outputs = [triton_http.InferRequestedOutput(name, binary_data=binary) for name in expected]
                answer = self.http.infer(model, [tensor], outputs=outputs, request_id="7", request_compression_algorithm=compression)
                self.same_arrays(f"{model} over HTTP", answer, expected)
                self.equal("id", answer.get_response()["id"], "7")
        everything = self.http.infer(model, [tensor])
        self.same_arrays(f"{model} over HTTP, all outputs", everything, expected)
        tensor = triton_grpc.InferInput("journey", [len(texts), 1], "BYTES")
        tensor.set_data_from_numpy(texts.reshape(-1, 1))
        self.same_arrays(f"{model} over gRPC", self.grpc.infer(model, [tensor]), expected)
        self.contents(model, texts, expected)
        raw = self.curl_raw(f"/v2/models/{model}/infer", texts[0].encode(), "Inference-Header-Content-Length: 0")
        self.equal("raw body", raw["conversion"], expected["conversion"][:1].tobytes())

    def contents(self, model, texts, expected):
        """gRPC with contents in place of raw bytes, which tritonclient never sends."""
        request = service_pb2.ModelInferRequest(model_name=model)
        tensor = request.inputs.add(name="journey", datatype="BYTES", shape=[len(texts)])
        tensor.contents.bytes_contents.extend(t.encode() for t in texts)
        for output in self.stub.ModelInfer(request).outputs:
            if output.name in expected:
                field = {"FP32": output.contents.fp32_contents, "FP64": output.contents.fp64_contents}[output.datatype]
                self.equal(output.name, np.array(field, expected[output.name].dtype).tobytes(), expected[output.name].tobytes())

    # --- tensors

    def rows(self):
        """Rows that moments features has encoded score as their journeys do."""
        want = read_scores(self.options.folder / "table.jsonl")
        width = next(i["shape"][1] for i in self.http.get_model_metadata("table")["inputs"] if i["name"] == "features")
        customers, numbers, levels = read_features(self.options.folder / "features.csv", width)
        expected = arrays("table", customers, want)
        for client, kit in ((self.http, triton_http), (self.grpc, triton_grpc)):
            inputs = [kit.InferInput("features", numbers.shape, "FP64"), kit.InferInput("categories", levels.shape, "BYTES")]
            inputs[0].set_data_from_numpy(numbers)
            inputs[1].set_data_from_numpy(levels)
            self.same_arrays(f"rows with {kit.__name__}", client.infer("table", inputs), expected)
        body = {"inputs": [
            {"name": "features", "shape": numbers.shape, "datatype": "FP64", "data": [[None if x != x else x for x in row] for row in numbers.tolist()]},
            {"name": "categories", "shape": levels.shape, "datatype": "BYTES", "data": levels.tolist()},
        ]}
        got = {o["name"]: o["data"] for o in self.curl("/v2/models/table/infer", body)["outputs"]}
        for name, array in expected.items():
            self.equal(f"{name} of rows with curl", np.array(got[name], array.dtype).tobytes(), array.tobytes())

    def tensors(self):
        """A bare ONNX model computes what ONNX Runtime computes here, and the same over every door."""
        session = onnxruntime.InferenceSession(str(self.options.folder / "models" / f"{ONNX}.onnx"), providers=["CPUExecutionProvider"])
        random = np.random.default_rng(1)
        given = {}
        for i in session.get_inputs():
            shape = [5] + i.shape[1:]
            given[i.name] = (random.integers(0, 2, shape) if i.name == "category" else random.standard_normal(shape)).astype(np.float32)
        (want,) = session.run(None, given)
        results = []
        for client, kit, forms in ((self.http, triton_http, [{"binary_data": True}, {"binary_data": False}]), (self.grpc, triton_grpc, [{}])):
            for form in forms:
                inputs = [kit.InferInput(name, a.shape, "FP32") for name, a in given.items()]
                for tensor, a in zip(inputs, given.values()):
                    tensor.set_data_from_numpy(a, **form)
                results.append(client.infer(ONNX, inputs, outputs=[kit.InferRequestedOutput("probability", **form)]).as_numpy("probability"))
        for got in results:
            self.equal("tensors", got.tobytes(), results[0].tobytes())
        self.true("tensors of ONNX Runtime", np.allclose(results[0], want, rtol=0, atol=1e-6))

    # --- the repository

    def repository(self):
        index = {m["name"]: m["state"] for m in self.http.get_model_repository_index()}
        self.equal("index", index, {"table": "READY", "sequence": "READY", ONNX: "READY"})
        self.http.unload_model("sequence")
        self.true("unloaded", not self.grpc.is_model_ready("sequence"))
        self.grpc.load_model("sequence")
        self.true("loaded", self.http.is_model_ready("sequence"))
        counts = self.http.get_inference_statistics("table")["model_stats"][0]["inference_stats"]["success"]["count"]
        self.equal("statistics", self.grpc.get_inference_statistics("table").model_stats[0].inference_stats.success.count, counts)
        self.true("statistics", counts > 10)

    def wrong(self):
        """What is wrong is said, and ends nothing."""
        for client, kit in ((self.http, triton_http), (self.grpc, triton_grpc)):
            tensor = kit.InferInput("journey", [1], "BYTES")
            tensor.set_data_from_numpy(np.array(['{"events": [{"time": "never"}]}'], dtype=object))
            try:
                client.infer("table", [tensor])
            except InferenceServerException as e:
                self.true(f"error {e}", "journey 0 of 1" in str(e))
            else:
                sys.exit("clients: a wrong journey was scored")
        self.true("live", self.http.is_server_live())

    # --- helpers

    def curl(self, path, body):
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--fail-with-body", "-H", "Content-Type: application/json", "--data-binary", "@-", self.url + path],
            input=json.dumps(body), text=True, capture_output=True,
        )
        if done.returncode:
            sys.exit(f"clients: curl {path}: {done.stderr}{done.stdout}")
        return json.loads(done.stdout)

    def curl_raw(self, path, body, header):
        """Sends bytes, and cuts the binary outputs out of the answer."""
        command = ["curl", "--silent", "--fail-with-body", "--include", "-H", header, "-H", "Content-Type: application/octet-stream", "--data-binary", "@-", self.url + path]
        head, _, answer = subprocess.run(command, input=body, capture_output=True, check=True).stdout.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"inference-header-content-length"))
        outputs, at = {}, length
        for output in json.loads(answer[:length])["outputs"]:
            size = output["parameters"]["binary_data_size"]
            outputs[output["name"]], at = answer[at : at + size], at + size
        return outputs

    def same_arrays(self, what, answer, expected):
        for name, array in expected.items():
            got = answer.as_numpy(name)
            self.true(f"{name} of {what}", got is not None and got.dtype == array.dtype)
            self.equal(f"{name} of {what}", got.tobytes(), array.tobytes())

    def equal(self, what, got, want):
        self.checks += 1
        if got != want:
            sys.exit(f"clients: {what}: got {got!r}, want {want!r}")

    def true(self, what, ok):
        self.equal(what, bool(ok), True)


def read_journeys(folder):
    """The journeys of the customer base, as JSON has them."""
    journeys = {}
    with open(folder / "profiles.csv", newline="") as f:
        for row in csv.DictReader(f):
            customer = row.pop("customer")
            journeys[customer] = {"customer": customer, "at": AT, "profile": values(row), "events": []}
    with open(folder / "events.csv", newline="") as f:
        for row in csv.DictReader(f):
            row.pop("event_id")
            event = {"time": row.pop("time"), "type": row.pop("type")}
            customer = row.pop("customer")
            journeys.setdefault(customer, {"customer": customer, "at": AT, "profile": {}, "events": []})["events"].append(event | values(row))
    return journeys


def values(row):
    return {name: (float(text) if name in NUMBERS else text) for name, text in row.items() if text != ""}


def read_scores(path):
    with open(path) as f:
        return {row["customer"]: row for row in map(json.loads, f)}


def arrays(model, customers, want):
    """The outputs that a model gives for customers."""
    return {name: np.array([want[c][name] for c in customers], dtype=dtype) for name, dtype in OUTPUTS[model].items()}


def read_features(path, width):
    """Customers, numbers (n, width) and levels of the encoded rows."""
    with open(path, newline="") as f:
        header, *rows = csv.reader(f)
    first = 1 + max(i for i, name in enumerate(header) if name == "part" or name.startswith("label_"))
    numbers = np.array([[float(x) if x else np.nan for x in row[first : first + width]] for row in rows])
    levels = np.array([row[first + width :] for row in rows], dtype=object)
    return [row[0] for row in rows], numbers, levels


if __name__ == "__main__":
    main()
