"""Times training steps of moments and of PyTorch, and inference of moments and of ONNX Runtime.

Both sides take turns on the same machine, in the same run, with the same shapes
and data sizes, with one thread and with two. Standard output is a report in
Markdown, also written to speed.md; progress goes to standard error.

The exit code is 0 when every case was measured on both sides, 1 when some were
not, and 2 on wrong usage.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import platform
import queue
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
WORKER = HERE / "speed_torch.py"

CASES = {
    "mlp": "MLP 64-256-256-1, batch 256",
    "autoencoder": "autoencoder 64-128-32-128-64, batch 256",
    "tabm": "TabM-mini k=16 d=256, 20 embedded columns, batch 256",
    "gru": "GRU 32 to 64, 32 steps, batch 128",
    "mlp4096": "MLP 64-256-256-1, batch 4096",
}

# What PyTorch tries for each case: a formulation of the network and a way to
# run its step, see speed_torch.py. The first one is the plain program: its loss
# is what the others must arrive at.
WAYS = ["eager-fused", "eager-foreach", "compiled", "compiled-autotuned", "compiled-update", "whole", "whole-autotuned", "whole-autotuned-cpp"]
PLAIN = [("plain", way) for way in WAYS]
VARIANTS = {
    "mlp": PLAIN,
    "autoencoder": PLAIN,
    "mlp4096": PLAIN,
    "tabm": [
        ("flat", "eager-fused"), ("flat", "compiled"), ("flat", "whole"), ("flat", "whole-autotuned"), ("flat-bits", "eager-fused"),
        ("flat-bits", "compiled"), ("flat-bits", "compiled-autotuned"), ("flat-bits", "whole"), ("flat-bits", "whole-autotuned"),
        ("member", "eager-fused"), ("member-bits", "whole"), ("member-bits", "whole-autotuned"), ("folded-bits", "whole"),
    ],
    "gru": [
        ("layer", "eager-fused"), ("layer", "compiled"), ("loop", "eager-fused"), ("loop", "whole"), ("loop", "whole-autotuned"),
        ("script", "eager-fused"), ("manual", "eager-fused"), ("manual", "compiled"), ("manual", "whole"),
    ],
}
LOSS_TOLERANCE = 0.02  # relative; dropout draws differ
FINALISTS = 2  # variants of a case that are timed in every round, beside the fastest everyday one


def main(arguments=None):
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # as an interrupt: no process is left behind
    options.work.mkdir(parents=True, exist_ok=True)
    began, sections, complete = time.monotonic(), [], True
    if options.cases:
        results, notes = training(options)
        sections += training_section(results, notes, options)
        complete = not any(r.missing() for r in results)
    if options.inference:
        sections += inference_section(*inference(options))
    text = "\n".join(preamble(options, time.monotonic() - began) + sections)
    (options.work / "speed.md").write_text(text)
    print(text, end="")
    return 0 if complete else 1


def parse(arguments):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--root", type=pathlib.Path, default=HERE.parent.parent, help="the repository")
    p.add_argument("--work", type=pathlib.Path, default=pathlib.Path("runs"), help="folder with train.test and onnxruntime.test, for speed.md, logs and compiled code")
    p.add_argument("--cases", default=",".join(CASES), metavar="A,B", help=f"some of {', '.join(CASES)}; empty for none")
    p.add_argument("--threads", default="1,2", metavar="1,2", help="numbers of threads, one after the other")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--seconds", type=float, default=0.7, help="of each measurement")
    p.add_argument("--compile-timeout", type=float, default=300, help="seconds after which a variant of PyTorch is given up")
    p.add_argument("--beside", default="avx512" if "amx_bf16" in cpuinfo("flags").split() else "", metavar="PATH",
                   help="a path of the kernels that our steps are timed on too, beside the default one; empty for none")
    p.add_argument("--no-inference", dest="inference", action="store_false", help="training only")
    options = p.parse_args(arguments)
    options.cases = [c for c in options.cases.split(",") if c]
    for case in options.cases:
        if case not in CASES:
            p.error(f"--cases: got {case!r}, want some of {', '.join(CASES)}")
    try:
        options.threads = sorted({int(t) for t in options.threads.split(",")})
    except ValueError:
        p.error(f"--threads: got {options.threads!r}, want numbers such as 1,2")
    for name, value in (("--rounds", options.rounds), ("--threads", options.threads[0]), ("--seconds", options.seconds), ("--compile-timeout", options.compile_timeout)):
        if not value > 0:
            p.error(f"{name}: got {value}, want above 0")
    return options


def note(text):
    print(text, file=sys.stderr, flush=True)


class Failure(Exception):
    """What went wrong with a measurement, in words for people."""


# --- our side


def go_benchmark(options, package, pattern, seconds, **environment):
    """Runs benchmarks of a package's test binary and returns what they print."""
    name = f"{pathlib.PurePath(package).name}.test"
    command = [options.work.resolve() / name, "-test.run", "^$", "-test.bench", pattern, "-test.benchtime", f"{seconds}s", "-test.benchmem"]
    done = subprocess.run(
        [str(c) for c in command], cwd=options.root / package, env=os.environ | environment, text=True, capture_output=True, stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise Failure(f"{name} ended with code {done.returncode}: {last_line(done.stderr or done.stdout)}")
    return done.stdout


LINE = re.compile(r"^(Benchmark\S+?)(?:-\d+)?\s+\d+\s+([\d.e+]+) ns/op(?:.*?\s([\d.e+]+) median-ns)?(?:.*?\s([\d.]+) allocs/op)?", re.M)
SKIPPED = re.compile(r"^\s*--- SKIP: (Benchmark\S+?)(?:-\d+)?(?: \(.*)?\n(?:\s+\S+\.go:\d+: (.*))?", re.M)


def parse_benchmarks(text):
    """Returns {name: (nanoseconds of an operation, allocations of one or None)} of the output of go test -bench. Where a
    benchmark reports the median of its operations, as speed_torch.py does, that is the figure, and else their mean."""
    return {m[1]: (float(m[3] or m[2]), None if m[4] is None else float(m[4])) for m in LINE.finditer(text)}


def parse_skips(text):
    """Returns {name: reason} of the benchmarks that skipped themselves."""
    return {m[1]: (m[2] or "no reason given") for m in SKIPPED.finditer(text)}


def our_step(options, case, threads, seconds, path=""):
    """Returns the seconds of one step, on a path of the kernels. Go gets as many cores as the step has threads, for its collector too."""
    pattern = f"^BenchmarkTrainingStep$/^{case}$/^threads={threads}$"
    lines = parse_benchmarks(go_benchmark(options, "train", pattern, seconds, GOMAXPROCS=str(threads), **({"MOMENTS_KERNEL": path} if path else {})))
    if len(lines) != 1:
        raise Failure(f"{pattern}: got {len(lines)} benchmarks, want 1")
    return next(iter(lines.values()))[0] / 1e9


# --- their side


class Worker:
    """A process of speed_torch.py. It is stopped while others are measured, so that its idle threads cost them nothing."""

    def __init__(self, threads, options):
        self.threads, self.options, self.process, self.dismissed = threads, options, None, False
        self.cache = (options.work / f"inductor-{threads}").resolve()
        self.compiling = None  # when the compilation in progress began

    def start(self):
        if self.dismissed:
            raise Failure("interrupted")
        environment = os.environ | {
            "OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads),
            # Memory once taken is kept, in huge pages: a third faster than the C library's defaults.
            "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296",
            "TORCHINDUCTOR_CACHE_DIR": str(self.cache),
        }
        self.log = open(self.options.work / f"speed_torch-{self.threads}.log", "ab")
        self.process = subprocess.Popen(
            [sys.executable, WORKER, "--threads", str(self.threads)], env=environment, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, start_new_session=True,
        )
        self.answers, self.prepared = queue.Queue(), set()
        threading.Thread(target=self.read, args=(self.process, self.answers), daemon=True).start()

    @staticmethod
    def read(process, answers):
        with process.stdout as lines:
            for line in lines:
                answers.put(line)
        answers.put(None)

    def ask(self, timeout, **request):
        """Returns the answer to a request; a process that gives none in time is ended, and the next request starts another."""
        if self.process is None:
            self.start()
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            line = self.answers.get(timeout=timeout)
        except queue.Empty:
            self.end()
            raise Failure(f"gave no answer in {timeout:.0f} s") from None
        except OSError:
            line = None
        if line is None:
            raise Failure(f"ended with code {self.end(patience=10)}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(re.sub(r"/(?:[^\s/]+/)+", "", answer["error"]))  # folders are nobody's business in a report
        return answer

    def prepare(self, case, variant):
        """Compiles a variant and returns its loss after the first steps."""
        self.compiling = time.time()
        try:
            answer = self.ask(self.options.compile_timeout, prepare=[case, *variant])
        finally:
            self.compiling = None
        self.prepared.add((case, variant))
        return answer["loss"]

    def time(self, case, variant, seconds):
        """Returns the median of the seconds of a step."""
        with self.running():
            if self.process is None or (case, variant) not in self.prepared:
                self.prepare(case, variant)  # again: the process was ended since
            return self.ask(60 + 10 * seconds, run=[case, *variant], seconds=seconds)["median"]

    @contextlib.contextmanager
    def running(self):
        self.signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.signal(signal.SIGSTOP)

    def signal(self, number):
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def dismiss(self):
        """Ends the process for good."""
        self.dismissed = True
        self.end()

    def end(self, patience=0):
        """Ends the process, if there is one and it does not end by itself within some seconds, and returns its exit code."""
        if self.process is None:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        self.signal(signal.SIGKILL)
        code = self.process.wait()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.log.close()
        self.process = None
        if self.compiling is not None:
            self.forget(self.compiling)
        return code

    def forget(self, since):
        """Removes what was compiled since then: the end of the process may have left half a file, which would be loaded for ever."""
        for path in self.cache.rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file() and path.stat().st_mtime >= since - 1:
                    path.unlink()


def last_line(text):
    return (text.strip().splitlines() or ["no message"])[-1]


# --- training


class Result:
    """The measurements of one case with one number of threads, in seconds a step, one for each round."""

    def __init__(self, case, threads):
        self.case, self.threads = case, threads
        self.ours, self.beside, self.theirs = [], [], {}  # beside on the other path, theirs by variant
        self.name = f"{case}, {threads} thread{'s' * (threads != 1)}"
        self.tried = {}  # variant: seconds of the selection, or why it was left out

    def finalists(self):
        timed = {v: t for v, t in self.tried.items() if isinstance(t, float)}
        order = sorted(timed, key=timed.get)
        return list(dict.fromkeys(order[:FINALISTS] + [v for v in order if everyday(v)][:1]))

    def best(self, among=lambda variant: True):
        """Returns the variant with the lowest median over the rounds."""
        return min((v for v, t in self.theirs.items() if t and among(v)), key=lambda v: statistics.median(self.theirs[v]), default=None)

    def missing(self):
        return not self.ours or self.best() is None


def training(options):
    results = [Result(case, threads) for case in options.cases for threads in options.threads]
    workers = {threads: Worker(threads, options) for threads in options.threads}
    notes = {}
    try:
        # Compiling takes minutes where nothing is cached: all workers at once.
        with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
            jobs = [pool.submit(prepare, w, [r for r in results if r.threads == t]) for t, w in workers.items()]
            try:
                for job in jobs:
                    job.result()
            except BaseException:  # an interrupt must not wait for compilers
                for w in workers.values():
                    w.dismiss()
                raise
        for w in workers.values():
            w.signal(signal.SIGSTOP)
        for result in results:
            select(workers[result.threads], result, options)
        for i in range(options.rounds):
            for result in results:
                measure(workers[result.threads], result, options, notes)
            note(f"round {i + 1} of {options.rounds} done")
    finally:
        for w in workers.values():
            w.dismiss()
    return results, notes


def prepare(worker, results):
    """Compiles all variants of a worker's cases; those that fail or compute something else are left out."""
    for result in results:
        want = None
        for variant in VARIANTS[result.case]:
            began = time.monotonic()
            try:
                loss = worker.prepare(result.case, variant)
                want = loss if want is None else want
                if not abs(loss - want) <= LOSS_TOLERANCE * want:
                    raise Failure(f"loss {loss:.4f}, want {want:.4f}")
                result.tried[variant] = None
            except Failure as err:
                result.tried[variant] = str(err)
            took = time.monotonic() - began
            note(f"{result.name}: {name_of(variant)}: {result.tried[variant] or 'ready'} after {took:.1f} s")


def select(worker, result, options):
    """Times every variant twice, not in a row; the lower figure counts."""
    ready = [v for v, failure in result.tried.items() if failure is None]
    for variant in ready * 2:
        before = result.tried[variant]
        if isinstance(before, str):
            continue
        try:
            seconds = worker.time(result.case, variant, options.seconds / 2)
            result.tried[variant] = seconds if before is None else min(before, seconds)
        except Failure as err:
            result.tried[variant] = str(err)
    best = [f"{name_of(v)} {milliseconds(result.tried[v])} ms" for v in result.finalists()]
    note(f"{result.name}: PyTorch's best: {', '.join(best) or 'none'}")


def measure(worker, result, options, notes):
    """One round: ours, then theirs. A round counts when both sides were measured."""
    try:
        ours = our_step(options, result.case, result.threads, options.seconds)
        if options.beside:
            result.beside.append(our_step(options, result.case, result.threads, options.seconds, options.beside))
    except Failure as err:
        notes[f"{result.name}: moments"] = str(err)
        return
    result.ours.append(ours)
    for variant in result.finalists():
        times = result.theirs.setdefault(variant, [])
        try:
            times.append(worker.time(result.case, variant, options.seconds))
        except Failure as err:
            notes[f"{result.name}: {name_of(variant)}"] = str(err)
            times.append(float("inf"))  # keeps the rounds of both sides in step


def everyday(variant):
    """Says whether a variant is a program as people write it: a module, compiled or not, with an optimiser of torch.optim
    and the library's own layers, rather than a step made into one graph by hand."""
    formulation, way = variant
    return not way.startswith("whole") and formulation in ("plain", "flat", "member", "folded", "layer")


def name_of(variant):
    return " ".join(variant)


# --- inference


def inference(options):
    """Returns {(network, rows): {runtime: [(seconds, allocations)]}} and remarks."""
    found, remarks = {}, []
    for _ in range(options.rounds):
        try:
            text = go_benchmark(options, "infer/onnxruntime", "^BenchmarkInference$", options.seconds / 2)
        except (Failure, OSError) as err:
            return found, [f"The benchmark of inference failed: {err}"]
        lines = parse_benchmarks(text)
        for name, (ns, allocations) in lines.items():
            _, network, rows, runtime = (name.split("/") + [""] * 3)[:4]
            found.setdefault((network, rows.removeprefix("rows=")), {}).setdefault(runtime, []).append((ns / 1e9, allocations))
        remarks = [f"{name.removeprefix('BenchmarkInference/')} was skipped: {reason}" for name, reason in parse_skips(text).items()]
        if not lines:
            return found, remarks or ["There is no benchmark of inference."]
    return found, remarks


# --- the report


def preamble(options, seconds):
    return [
        "# Speed", "",
        f"{processor()}, {os.cpu_count()} cores; PyTorch {version('torch')}, Python {platform.python_version()}; {options.rounds} rounds of {options.seconds:g} s"
        f" a measurement, all of it in {seconds / 60:.0f} minutes. Values are float32 on both sides. Products of training may keep 16 bits of their factors on both,"
        ' as PyTorch\'s precision "high" has it: where the processor has a matrix unit (AMX), ours do, as sums of two bfloat16 numbers; PyTorch has no such kernel for'
        " processors and takes all 24.", "",
    ]


def processor():
    return cpuinfo("model name") or platform.processor() or platform.machine()


def cpuinfo(field):
    """What Linux says of the first processor; empty elsewhere."""
    with contextlib.suppress(OSError):
        if m := re.search(rf"^{field}\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M):
            return m[1]
    return ""


def version(package):
    from importlib.metadata import PackageNotFoundError, version

    with contextlib.suppress(PackageNotFoundError):
        return version(package)
    return "(absent)"


def training_section(results, notes, options):
    out = ["## Training: one step of the optimiser", "", *(f"- `{c}`: {CASES[c]}" for c in options.cases), ""]
    out += [
        "Medians over the rounds. A ratio is PyTorch's time over ours, round by round: median (least to most). PyTorch's everyday program is a module, compiled"
        " or not, with an optimiser of torch.optim: the fastest of those. Its best is the fastest of all variants listed below, most of which turn loss,"
        " gradients and update into one compiled graph by hand.", "",
    ]
    head = ["case", "threads", "moments (ms)", "PyTorch, everyday (ms)", "over moments", "PyTorch, best (ms)", "over moments", "PyTorch's variants"]
    out += markdown(head, [training_row(r) for r in results], last_is_text=True)
    out += [""] + scaling(results) + on_the_other_path(results, options)
    out += ["### What PyTorch tried", "", f"The times to choose by, of two short runs the lower; the first {FINALISTS} of each case, and its first everyday one, ran in every round.", ""]
    lines = [[r.case, str(r.threads), name_of(v), t if isinstance(t, str) else milliseconds(t)] for r in results for v, t in sorted(r.tried.items(), key=by_time)]
    out += markdown(["case", "threads", "variant", "ms"], lines) + [""]
    if notes:
        out += ["### Failed", ""] + [f"- {what}: {why}" for what, why in notes.items()] + [""]
    return out


def by_time(item):
    return item[1] if isinstance(item[1], float) else float("inf")


def training_row(r):
    sides = [r.best(everyday), r.best()]
    cells = [r.case, str(r.threads), milliseconds(median(r.ours))]
    for best in sides:
        theirs = r.theirs.get(best, [])
        cells += [milliseconds(median(theirs)), spread([t / o for o, t in zip(r.ours, theirs)])]
    return cells + ["; ".join(name_of(best) if best else "-" for best in dict.fromkeys(sides))]


def scaling(results):
    """How much faster the most threads are than one, for both sides."""
    by = {(r.case, r.threads): r for r in results}
    most = max(r.threads for r in results)
    lines = []
    for case in dict.fromkeys(r.case for r in results):
        one, all_ = by.get((case, 1)), by.get((case, most))
        if one is None or most == 1:
            continue
        theirs = [r.theirs.get(r.best(), []) for r in (one, all_)]
        lines.append([case, spread([a / b for a, b in zip(one.ours, all_.ours)]), spread([a / b for a, b in zip(*theirs)])])
    return markdown(["case", f"moments: {most} threads over 1", f"PyTorch: {most} threads over 1"], lines) + [""] if lines else []


def on_the_other_path(results, options):
    """Our steps on the path beside the default one."""
    lines = []
    for r in results:
        if r.beside and r.best():
            ratios = [t / o for o, t in zip(r.beside, r.theirs[r.best()])]
            lines.append([r.case, str(r.threads), milliseconds(median(r.beside)), spread(ratios), spread([b / o for b, o in zip(r.beside, r.ours)])])
    if not lines:
        return []
    head = ["case", "threads", f"moments, {options.beside} (ms)", "PyTorch, best, over it", "over moments by default"]
    return [f"The same with `MOMENTS_KERNEL={options.beside}`:", ""] + markdown(head, lines) + [""]


def inference_section(found, remarks):
    out = ["## Inference", "", "A run of the network on so many rows, one thread on either side; the ratio is ONNX Runtime's time over ours.", ""]
    if found:
        lines = [inference_row(*item) for item in found.items()]
        out += markdown(["network", "rows", "moments (µs)", "ONNX Runtime (µs)", "ONNX Runtime over moments", "allocations: moments", "ONNX Runtime"], lines) + [""]
    return out + [f"- {r}" for r in remarks] + [""]


def inference_row(key, runtimes):
    ours, theirs = runtimes.get("native", []), runtimes.get("onnxruntime", [])
    seconds = [[s for s, _ in side] for side in (ours, theirs)]
    allocations = [f"{side[-1][1]:g}" if side and side[-1][1] is not None else "-" for side in (ours, theirs)]
    return [*key, *(f"{median(s) * 1e6:.2f}" if s else "-" for s in seconds), spread([t / o for o, t in zip(*seconds)]), *allocations]


def median(values):
    return statistics.median(values) if values else float("nan")


def milliseconds(seconds):
    return f"{seconds * 1e3:.3f}" if seconds is not None and 0 < seconds < float("inf") else "-"


def spread(ratios):
    ratios = [r for r in ratios if 0 < r < float("inf")]
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else "-"


def markdown(head, lines, last_is_text=False):
    rule = ["---"] + ["---:"] * (len(head) - 1)
    if last_is_text:
        rule[-1] = "---"
    return ["| " + " | ".join(cells) + " |" for cells in [head, rule] + lines]


if __name__ == "__main__":
    sys.exit(main())
