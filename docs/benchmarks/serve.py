"""Loads moments serve, MLServer, and FastAPI with ONNX Runtime side by side.

All serve the same network, trained on docs/tasks/bpic2012_loans.yaml, on the same
machine in the same run, in turn. Standard output is a report in Markdown, also
written to serve.md; progress goes to standard error.

The exit code is 0 when everything was measured, 1 when something was not, and 2 on
wrong usage.
"""

import argparse
import contextlib
import csv
import ctypes
import gzip
import json
import os
import pathlib
import platform
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TASK = HERE.parent / "tasks" / "bpic2012_loans.yaml"

# One network, of those that a table and an ONNX file can feed, so that all
# servers compute the same.
NETWORKS = "\nnetworks: {ensemble: 1, recurrent: 0}\nanomaly: {off: true}\n"
BODIES = 64  # different requests of each kind
EVENTS = 20  # of a journey
SPREAD = 64  # connections of requests that come at a rate
CROWD = 512  # connections of those who ask too much
MANY, REASONS = 16, 5  # journeys of a request that overloads, and reasons of each
JSON = "application/json"
PROGRAMS = pathlib.Path(sys.executable).parent  # of the virtual environment


def main(arguments=None):
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # as an interrupt: no process is left behind
    options.work.mkdir(parents=True, exist_ok=True)
    began, failures = time.monotonic(), []
    prepared = Prepared(options)
    sections = []
    for part, measure in (("load", load), ("reload", reload_under_load), ("overload", overload)):
        if part in options.parts:
            try:
                sections += measure(options, prepared)
            except Failure as e:
                failures.append(f"{part}: {e}")
                note(f"{part}: {e}")
    text = "\n".join(preamble(options, time.monotonic() - began, stalls()) + sections + [f"- failed: {f}" for f in failures]) + "\n"
    (options.work / "serve.md").write_text(text)
    print(text, end="")
    return 1 if failures else 0


def parse(arguments):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--moments", type=pathlib.Path, required=True, help="the program")
    p.add_argument("--fortio", type=pathlib.Path, required=True, help="the load generator of even rates")
    p.add_argument("--work", type=pathlib.Path, default=pathlib.Path("runs"), help="folder for the bundle, the requests, logs and serve.md")
    p.add_argument("--parts", default="load,reload,overload", metavar="A,B", help="what to measure")
    p.add_argument("--systems", default=";".join(SYSTEMS), metavar="A;B", help="which rows of load")
    p.add_argument("--connections", default="1,16,64", metavar="A,B")
    p.add_argument("--rates", default="2000,5000", metavar="A,B", help="requests a second that come at random")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=int, default=5, help="of each measurement")
    p.add_argument("--reloads", type=int, default=50)
    p.add_argument("--train", action="store_true", help="train the bundle again")
    options = p.parse_args(arguments)
    options.work, options.moments = options.work.resolve(), options.moments.resolve()
    options.parts = [x for x in options.parts.split(",") if x]
    options.systems = [x for x in options.systems.split(";") if x]
    for name, got, known in (("--parts", options.parts, ["load", "reload", "overload"]), ("--systems", options.systems, list(SYSTEMS))):
        for x in got:
            if x not in known:
                p.error(f"{name}: got {x!r}, want some of {', '.join(known)}")
    for name in ("connections", "rates"):
        try:
            setattr(options, name, [int(x) for x in getattr(options, name).split(",") if x])
        except ValueError:
            p.error(f"--{name}: want numbers such as 1,16")
    for name in ("rounds", "seconds", "reloads"):
        if not getattr(options, name) > 0:
            p.error(f"--{name}: got {getattr(options, name)}, want above 0")
    return options


def note(text):
    print(text, file=sys.stderr, flush=True)


class Failure(Exception):
    """What went wrong with a measurement, in words for people."""


# --- the bundle and the requests


class Prepared:
    """The bundle, the exported network, and files of requests."""

    def __init__(self, options):
        self.folder = options.work
        self.models = options.work / "models"
        self.bundle = self.models / "loans"
        self.network = self.models / "network.onnx"
        if options.train or not self.network.exists():
            self.train(options)
        self.journeys = read_journeys(pathlib.Path(os.environ["MOMENTS_DATA"]) / "bpic2012_loans" / "bpic2012_events.csv.gz")[:BODIES]
        inputs = network_inputs(self.network)
        self.bodies = {}
        self.add("score", [json.dumps({"model": "loans", **j}) for j in self.journeys])
        self.add("journey", [oip([("journey", [1], "BYTES", [json.dumps(j)])]) for j in self.journeys])
        self.add("tensors", [oip(random_tensors(inputs, random.Random(i))) for i in range(BODIES)])
        self.add("many", [json.dumps({"model": "loans", "reasons": REASONS, "journeys": [self.journeys[(i + k) % BODIES] for k in range(MANY)]}) for i in range(BODIES)])

    def train(self, options):
        note("training the bundle")
        shutil.rmtree(self.models, ignore_errors=True)
        task, exported = self.folder / "loans.yaml", self.folder / "onnx"
        task.write_text(TASK.read_text() + NETWORKS)
        run(options, "train", task, "-o", self.bundle)
        run(options, "features", task, "-o", self.folder / "features.csv")
        run(options, "export", self.bundle, "--onnx", exported)
        shutil.copyfile(exported / "classifier-0.onnx", self.network)  # last: it says that all is there

    def spare(self, options):
        """Another bundle for the same journeys, trained for a moment only."""
        spare, task = self.folder / "spare", self.folder / "spare.yaml"
        shutil.rmtree(spare, ignore_errors=True)
        task.write_text(TASK.read_text() + NETWORKS.replace("{", "{epochs: 1, ", 1))
        run(options, "train", task, "-o", spare)
        return spare

    def add_rows(self, server):
        """Encoded rows, as the server says that it takes them."""
        inputs = {i["name"]: i["shape"][1:] for i in server.get("/v2/models/loans")["inputs"]}
        (numeric,), (categorical,) = inputs["features"], inputs["categories"]
        rows = read_rows(self.folder / "features.csv", BODIES, numeric)
        self.add("rows", [oip([("features", [1, numeric], "FP64", n), ("categories", [1, categorical], "BYTES", c)]) for n, c in rows])

    def add(self, name, texts):
        self.bodies[name] = bodies = [t.encode() for t in texts]
        self.file(name).write_bytes(b"".join(b"%d\n%s" % (len(b), b) for b in bodies))
        # fortio sends one body: that of the middle size.
        self.single(name).write_bytes(sorted(bodies, key=len)[len(bodies) // 2])

    def file(self, name):
        return self.folder / f"{name}.bodies"

    def single(self, name):
        return self.folder / f"{name}.body"


def run(options, *arguments):
    command = [str(options.moments), "--quiet", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"serve: {' '.join(command)}: {done.stderr[-2000:]}")


def network_inputs(path):
    """Names and widths of the network's inputs."""
    import onnxruntime

    return [[i.name, i.shape[1]] for i in onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).get_inputs()]


def first_feature(header):
    return 1 + max(i for i, name in enumerate(header) if name == "part" or name.startswith("label_"))


def read_rows(path, count, numeric):
    """Numbers, None where missing, and levels of the first rows."""
    with open(path, newline="") as f:
        rows = csv.reader(f)
        first = first_feature(next(rows))
        taken = [row[first:] for row, _ in zip(rows, range(count))]
    return [([float(x) if x else None for x in row[:numeric]], row[numeric:]) for row in taken]


def read_journeys(path):
    """The first events of each application, as JSON has them."""
    journeys = {}
    with gzip.open(path, "rt", newline="") as f:
        for row in csv.DictReader(f):
            case = row["case:concept:name"]
            journey = journeys.setdefault(case, {"customer": case, "profile": {"case:AMOUNT_REQ": float(row["case:AMOUNT_REQ"])}, "events": []})
            if len(journey["events"]) < EVENTS:
                event = {"time": row["time:timestamp"], "type": row["concept:name"], "lifecycle:transition": row["lifecycle:transition"]}
                if row["org:resource"]:
                    event["org:resource"] = row["org:resource"]
                journey["events"].append(event)
    return [j for j in journeys.values() if len(j["events"]) == EVENTS]


def random_tensors(inputs, generator):
    """One row for every input: normal numbers, and ids of levels that any table has."""
    tensors = []
    for name, width in inputs:
        draw = (lambda: float(generator.randint(0, 1))) if name == "category" else (lambda: round(generator.gauss(0, 1), 6))
        tensors.append((name, [1, width], "FP32", [draw() for _ in range(width)]))
    return tensors


def oip(inputs):
    """A request of the Open Inference Protocol."""
    return json.dumps({"inputs": [{"name": n, "shape": s, "datatype": t, "data": d} for n, s, t, d in inputs]})


# --- servers


class Server:
    """A server under way. Leaving the context ends it and all its processes."""

    def __init__(self, name, folder, command, environment=None, port=None):
        self.name, self.log = name, open(folder / f"{name}.log", "w")
        self.port = port or free_port()
        command = [str(part).replace("PORT", str(self.port)) for part in command]
        self.process = subprocess.Popen(command, cwd=folder, env={**os.environ, **(environment or {})}, stdout=self.log, stderr=self.log, start_new_session=True)

    def __enter__(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v2/health/ready", timeout=5).close()
                return self
            time.sleep(0.1)
        self.__exit__()
        raise Failure(f"{self.name} does not come up: {pathlib.Path(self.log.name).read_text()[-500:]}")

    def __exit__(self, *_):
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
                break
        self.log.close()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path):
        return self.post(path, None)

    def post(self, path, body):
        request = urllib.request.Request(self.url(path), data=body, headers={"Content-Type": JSON})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as e:
            raise Failure(f"{self.name} answers {e.code}: {e.read()[:300]}") from None

    def memory(self):
        """Resident MiB now and at most."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return [int(next(line for line in text.splitlines() if line.startswith(key)).split()[1]) // 1024 for key in ("VmRSS", "VmHWM")]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def moments(options, prepared):
    return Server("moments", prepared.folder, [options.moments, "serve", prepared.models, "--listen", "127.0.0.1:PORT", "--control"])


def mlserver(workers):
    def start(options, prepared):
        folder = prepared.folder / f"mlserver-{workers}"
        folder.mkdir(exist_ok=True)
        settings = {"host": "127.0.0.1", "http_port": free_port(), "grpc_port": free_port(), "metrics_endpoint": None, "parallel_workers": workers, "debug": False}
        (folder / "settings.json").write_text(json.dumps(settings))
        (folder / "model-settings.json").write_text(json.dumps({"name": "network", "implementation": "serve_mlserver.Network", "parameters": {"uri": str(prepared.network)}}))
        environment = {"PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
        return Server(f"mlserver-{workers}", prepared.folder, [PROGRAMS / "mlserver", "start", folder], environment, settings["http_port"])

    return start


def fastapi(workers):
    def start(options, prepared):
        command = [PROGRAMS / "uvicorn", "serve_fastapi:app", "--app-dir", HERE, "--host", "127.0.0.1", "--port", "PORT"]
        command += ["--workers", workers, "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        return Server(f"fastapi-{workers}", prepared.folder, command, {"MODEL": str(prepared.network)})

    return start


# A row of the report: the server, the path, and the kind of body.
SYSTEMS = {
    "moments, journey to /v1/score": ("moments", "/v1/score", "score"),
    "moments, journey as tensor": ("moments", "/v2/models/loans/infer", "journey"),
    "moments, encoded row": ("moments", "/v2/models/loans/infer", "rows"),
    "moments, ONNX tensors": ("moments", "/v2/models/network/infer", "tensors"),
    "MLServer, in process": ("mlserver-0", "/v2/models/network/infer", "tensors"),
    "MLServer, 2 workers": ("mlserver-2", "/v2/models/network/infer", "tensors"),
    "FastAPI, 1 worker": ("fastapi-1", "/v2/models/network/infer", "tensors"),
    "FastAPI, 2 workers": ("fastapi-2", "/v2/models/network/infer", "tensors"),
}
SERVERS = {"moments": moments, "mlserver-0": mlserver(0), "mlserver-2": mlserver(2), "fastapi-1": fastapi(1), "fastapi-2": fastapi(2)}


# --- load generators


def wrk(options, server, path, bodies, connections, seconds=None, rate=None):
    """wrk: every connection sends its next request when it has the answer, at once or,
    at a rate of all together, after a random pause, so that requests come independently."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds or options.seconds}s", "--timeout", "10s", "-s", HERE / "serve.lua", server.url(path)]
    command += ["--", bodies, 1000 * connections / rate if rate else 0, f"Content-Type: {JSON}"]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    for line in done.stdout.splitlines():
        if line.startswith("JSON "):
            r = json.loads(line[5:])
            return {"p50": r["p50"], "p99": r["p99"], "rate": r["requests"] / r["seconds"], "failed": r["failed"]}
    raise Failure(f"wrk: {done.stderr[-500:]}{done.stdout[-500:]}")


def fortio(options, server, path, body, rate, seconds=None, connections=SPREAD):
    """fortio: one request is sent again and again at a rate, whatever comes of it, as far as so many connections reach."""
    out = options.work / "fortio.json"
    out.unlink(missing_ok=True)
    command = [options.fortio, "load", "-quiet", "-log-errors=false", "-allow-initial-errors", "-qps", rate, "-c", connections, "-uniform", "-r", 0.00002]
    command += ["-t", f"{seconds or options.seconds}s", "-timeout", "10s", "-p", "50,99", "-payload-file", body, "-content-type", JSON, "-json", out, server.url(path)]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if not out.exists():
        raise Failure(f"fortio: {done.stderr[-500:]}")
    return read_fortio(json.loads(out.read_text()))


def read_fortio(report):
    """Latencies in seconds; of those that failed, too."""
    codes, duration = report["RetCodes"], report["ActualDuration"] / 1e9
    at = {p["Percentile"]: p["Value"] for p in report["DurationHistogram"]["Percentiles"]}
    failed = {p["Percentile"]: p["Value"] for p in report.get("ErrorsDurationHistogram", {}).get("Percentiles") or []}
    good = codes.get("200", 0)
    return {
        "p50": at[50], "p99": at[99], "rate": report["ActualQPS"], "good": good / duration, "failed": sum(codes.values()) - good,
        "busy": codes.get("503", 0), "other": sum(codes.values()) - good - codes.get("503", 0), "failed_p50": failed.get(50), "failed_p99": failed.get(99),
    }


# --- what is measured


def load(options, prepared):
    chosen = {name: SYSTEMS[name] for name in options.systems}
    results = {}
    with contextlib.ExitStack() as stack:
        servers = {}
        for kind in dict.fromkeys(server for server, _, _ in chosen.values()):
            note(f"starting {kind}")
            servers[kind] = stack.enter_context(SERVERS[kind](options, prepared))
        if any(body == "rows" for _, _, body in chosen.values()):
            prepared.add_rows(servers["moments"])
        agree(chosen, servers, prepared)
        for round_ in range(options.rounds):
            for name, (kind, path, body) in chosen.items():
                note(f"round {round_ + 1}: {name}")
                server = servers[kind]
                wrk(options, server, path, prepared.file(body), 4, seconds=1)  # warm
                for n in options.connections:
                    results.setdefault((name, n, "busy"), []).append(wrk(options, server, path, prepared.file(body), n))
                for rate in options.rates:
                    results.setdefault((name, rate, "random"), []).append(wrk(options, server, path, prepared.file(body), SPREAD, rate=rate))
    return load_section(options, chosen, results)


def agree(chosen, servers, prepared):
    """All that are given the same tensors answer the same."""
    answers = {}
    for name, (kind, path, body) in chosen.items():
        answer = servers[kind].post(path, prepared.bodies[body][0])
        if body == "tensors":
            answers[name] = answer["outputs"][0]["data"][0]
    if answers and max(answers.values()) - min(answers.values()) > 1e-6:
        raise Failure(f"the servers disagree: {answers}")


def load_section(options, chosen, results):
    def median(key, field):
        return statistics.median(r[field] for r in results[key])

    lines = ["", "## Closed loop", "", "| requests | " + " | ".join(f"{n} connections: req/s | p50 ms | p99 ms" for n in options.connections) + " | failed |"]
    lines.append("|---|" + "---:|---:|---:|" * len(options.connections) + "---:|")
    for name in chosen:
        cells = []
        for n in options.connections:
            key = (name, n, "busy")
            cells += [f"{median(key, 'rate'):,.0f}", millis(median(key, "p50")), millis(median(key, "p99"))]
        failed = sum(r["failed"] for n in options.connections for r in results[name, n, "busy"])
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {failed} |")
    lines += ["", "## At random", "", "| requests | " + " | ".join(f"{r:,} a second: sent | p50 ms | p99 ms" for r in options.rates) + " | failed |"]
    lines.append("|---|" + "---:|---:|---:|" * len(options.rates) + "---:|")
    for name in chosen:
        cells = []
        for rate in options.rates:
            key = (name, rate, "random")
            cells += [f"{median(key, 'rate'):,.0f}", millis(median(key, "p50")), millis(median(key, "p99"))]
        failed = sum(r["failed"] for rate in options.rates for r in results[name, rate, "random"])
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {failed} |")
    return lines


def millis(seconds):
    return "" if seconds is None else f"{1000 * seconds:.2f}"


def reload_under_load(options, prepared):
    """Loads the server, with and without reloads, in turn."""
    rate, seconds = 1000, 2 * options.seconds
    models, spare = prepared.folder / "reloaded", prepared.spare(options)
    shutil.rmtree(models, ignore_errors=True)
    shutil.copytree(prepared.bundle, models / "loans")
    calm, busy, reloads = [], [], []
    command = [options.moments, "serve", models, "--listen", "127.0.0.1:PORT", "--poll", "100ms"]
    with Server("moments-reload", prepared.folder, command) as server:
        server.post("/v1/score", prepared.bodies["score"][0])
        while len(reloads) < options.reloads:
            note(f"reload: {len(reloads)} of {options.reloads}")
            calm.append(fortio(options, server, "/v1/score", prepared.single("score"), rate, seconds))
            stop, before = threading.Event(), len(reloads)
            swapper = threading.Thread(target=swap_often, args=(server, models / "loans", spare, seconds / (options.reloads / WINDOWS + 1), stop, reloads))
            swapper.start()
            busy.append(fortio(options, server, "/v1/score", prepared.single("score"), rate, seconds))
            stop.set()
            swapper.join()
            if len(reloads) == before:
                raise Failure(f"no reload in {seconds} s: {pathlib.Path(server.log.name).read_text()[-500:]}")
    before, after = (statistics.median(r["p99"] for r in rs) for rs in (calm, busy))
    lines = [
        "", "## Reload under load", "", f"{rate:,} journeys a second to /v1/score, {len(calm)} windows of {seconds} s without reloads and as many with, in turn.", "",
        "| | p50 ms | p99 ms | failed |", "|---|---:|---:|---:|",
    ]
    for name, results in (("without", calm), (f"with {len(reloads)} reloads", busy)):
        lines.append(f"| {name} | {millis(statistics.median(r['p50'] for r in results))} | {millis(statistics.median(r['p99'] for r in results))} | {sum(r['failed'] for r in results)} |")
    ratios = ", ".join(f"{b['p99'] / c['p99']:.2f}" for c, b in zip(calm, busy))
    return lines + ["", f"p99 is {after / before:.2f} times as long with reloads; by window {ratios}. A reload, from the exchange of the folders until the new version is live, took {statistics.median(reloads):.1f} s."]


WINDOWS = 5  # in which the reloads are meant to happen


def swap_often(server, live, spare, pause, stop, reloads):
    """Exchanges two bundles and waits each time until the server has the other one."""
    while not stop.wait(pause):
        before, began = live_version(server), time.monotonic()
        exchange(live, spare)
        while not stop.is_set():
            if live_version(server) != before:
                reloads.append(time.monotonic() - began)
                break
            time.sleep(0.02)


def live_version(server):
    return next((m.get("version", "") for m in server.post("/v2/repository/index", b"{}") if m["name"] == "loans"), "")


def exchange(a, b):
    """Exchanges two folders in one step: renameat2 with RENAME_EXCHANGE."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = -100  # AT_FDCWD
    if libc.renameat2(here, os.fsencode(a), here, os.fsencode(b), 2):
        raise OSError(ctypes.get_errno(), f"exchanging {a} and {b}")


def overload(options, prepared):
    """Offers five times what the server can do, which has half of the cores for itself."""
    cores = sorted(os.sched_getaffinity(0))
    half = max(1, len(cores) // 2)
    own, others = cores[:half], cores[half:] or cores
    os.sched_setaffinity(0, own)
    try:
        server = Server("moments-overload", prepared.folder, [options.moments, "serve", prepared.models, "--listen", "127.0.0.1:PORT"])
    finally:
        os.sched_setaffinity(0, others)
    lines = [
        "", "## Overload", "", f"Requests of {MANY} journeys with {REASONS} reasons each to /v1/score, with {len(own)} of the cores for the server and the others for the load generator. In turn: "
        f"the peak, over 16 connections in a closed loop; and five times as many, over {CROWD} connections.", "",
        "| peak, req/s | sent | answered, req/s | of the peak | 503 p50 ms | 503 p99 ms | neither 200 nor 503 |", "|" + "---:|" * 7,
    ]
    try:
        with server:
            wrk(options, server, "/v1/score", prepared.file("many"), 16)
            before, _ = server.memory()
            rounds = [overloaded(options, prepared, server) for _ in range(options.rounds)]
            _, most = server.memory()
            calm = fortio(options, server, "/v1/score", prepared.single("score"), 200)
    finally:
        os.sched_setaffinity(0, cores)
    for peak, r in rounds:
        lines.append(f"| {peak:,.0f} | {r['rate']:,.0f} | {r['good']:,.0f} | {r['good'] / peak:.0%} | {millis(r['failed_p50'])} | {millis(r['failed_p99'])} | {r['other']} |")
    share = statistics.median(r["good"] / peak for peak, r in rounds)
    return lines + [
        "", f"Median of the rounds: {share:.0%} of the peak. Resident memory {before} MiB before, {most} MiB at most. "
        f"Right after it, one journey at 200 requests a second: p50 {millis(calm['p50'])} ms, p99 {millis(calm['p99'])} ms, {calm['failed']} failed.",
    ]


def overloaded(options, prepared, server):
    """The peak, and what comes of five times as much."""
    peak = wrk(options, server, "/v1/score", prepared.file("many"), 16)["rate"]
    note(f"overload: peak {peak:.0f} requests a second")
    return peak, fortio(options, server, "/v1/score", prepared.single("many"), round(5 * peak), 2 * options.seconds, CROWD)


# --- the report


def stalls(seconds=3, work=0.0002, pause=0.0003, late=0.002):
    """The share of time for which this process, half idle, is held up for more than 2 ms."""
    lost, end = 0, time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        time.sleep(pause)
        while time.perf_counter() < began + pause + work:
            pass
        over = time.perf_counter() - began - pause - work
        lost += over if over > late else 0
    return lost / seconds


def preamble(options, seconds, stalled):
    return [
        "# Serving", "",
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores that the load generator shares with the server, {time.strftime('%Y-%m-%d')}, {seconds / 60:.0f} minutes. "
        f"Medians of {options.rounds} rounds of {options.seconds} s. A journey has {EVENTS} events. Made by docs/benchmarks/serve.sh.", "",
        f"The machine itself holds a process that is half idle up, for more than 2 ms at a time, for {stalled:.1%} of the time: no server's tail is shorter than that.",
    ]


if __name__ == "__main__":
    sys.exit(main())
