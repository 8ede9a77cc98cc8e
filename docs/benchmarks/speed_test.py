"""Tests speed.py with stand-ins for the benchmarks and for PyTorch: python -m unittest speed_test.py"""

import contextlib
import io
import os
import pathlib
import stat
import sys
import tempfile
import time
import unittest
from unittest import mock

import speed

# Prints a step of 2 ms with one thread and of 1 ms with two; inference has one runtime that skips itself.
BENCHMARKS = """#!{python}
import os, sys
if "train" in sys.argv[0]:
    _, case, threads = sys.argv[sys.argv.index("-test.bench") + 1].replace("^", "").replace("$", "").split("/")
    if case == "gru":
        sys.exit("panic: no such network")
    print("goos: linux\\ncpu: some")
    suffix = "" if os.environ["GOMAXPROCS"] == "1" else "-" + os.environ["GOMAXPROCS"]
    slower = 1.5 if os.environ.get("MOMENTS_KERNEL") == "avx2" else 1
    print(f"BenchmarkTrainingStep/{{case}}/{{threads}}{{suffix}}  \\t 500\\t  {{slower * 2e6 / int(threads[-1])}} ns/op\\t  0 B/op\\t  0 allocs/op\\nPASS")
else:
    print("BenchmarkInference/mlp/rows=1/native-2   \\t 1000\\t 2000 ns/op\\t 500.0 rows/s\\t 0 B/op\\t 0 allocs/op")
    print("BenchmarkInference/mlp/rows=1/onnxruntime-2   \\t 1000\\t 5000 ns/op\\t 96 B/op\\t 3 allocs/op")
    print("BenchmarkInference/gru/rows=1/native-2   \\t 1000\\t 3000 ns/op")
    print("--- SKIP: BenchmarkInference/gru/rows=1/onnxruntime-2\\n    bench_test.go:40: no shared library\\nPASS")
"""

# Answers as speed_torch.py does: each way has a step time of its own, or a fault.
PYTORCH = """
import json, sys, time
steps = {"eager-fused": 6e-3, "compiled": 4e-3, "whole": 3e-3, "whole-autotuned": 1e-3}
for line in sys.stdin:
    request = json.loads(line)
    way = request.get("prepare", request.get("run"))[2]
    if way == "eager-foreach":
        answer = {"error": "RuntimeError: no such kernel in /home/me/cache/ab/kernel.so"}
    elif way == "compiled-update":
        sys.exit(3)
    elif way == "compiled-autotuned":
        time.sleep(3600)
    elif "prepare" in request:
        answer = {"loss": 0.9 if way == "whole-autotuned" else 0.5, "seconds": 0.1}
    else:
        answer = {"median": steps.get(way, 7e-3), "p10": 1e-3, "steps": 9}
    print(json.dumps(answer), flush=True)
"""


class SpeedTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        for package in ("train", "infer/onnxruntime"):
            (self.folder / package).mkdir(parents=True)
            binary = self.folder / f"{pathlib.Path(package).name}.test"
            binary.write_text(BENCHMARKS.format(python=sys.executable))
            binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
        worker = self.folder / "worker.py"
        worker.write_text(PYTORCH)
        patch = mock.patch.object(speed, "WORKER", worker)
        patch.start()
        self.addCleanup(patch.stop)

    def measure(self, *more):
        out = io.StringIO()
        arguments = ["--root", str(self.folder), "--work", str(self.folder), "--rounds", "2", "--seconds", "0.01", "--compile-timeout", "3", *more]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = speed.main(arguments)
        self.assertEqual((self.folder / "speed.md").read_text(), out.getvalue())
        return code, out.getvalue()

    def test_the_fastest_right_variant_stands_beside_ours(self):
        code, report = self.measure("--cases", "mlp", "--no-inference")
        self.assertEqual(code, 0)
        self.assertIn("| mlp | 1 | 2.000 | 4.000 | 2.00 (2.00 to 2.00) | 3.000 | 1.50 (1.50 to 1.50) | plain compiled; plain whole |", report)
        self.assertIn("| mlp | 2 | 1.000 | 4.000 | 4.00 (4.00 to 4.00) | 3.000 | 3.00 (3.00 to 3.00) | plain compiled; plain whole |", report)
        self.assertIn("| mlp | 2.00 (2.00 to 2.00) | 1.00 (1.00 to 1.00) |", report)

    def test_another_path_stands_beside_the_default_one(self):
        code, report = self.measure("--cases", "mlp", "--threads", "1", "--no-inference", "--beside", "avx2")
        self.assertEqual(code, 0)
        self.assertIn("| mlp | 1 | 2.000 | 4.000 |", report)
        self.assertIn("`MOMENTS_KERNEL=avx2`", report)
        self.assertIn("| mlp | 1 | 3.000 | 1.00 (1.00 to 1.00) | 1.50 (1.50 to 1.50) |", report)
        self.assertNotIn("MOMENTS_KERNEL", self.measure("--cases", "mlp", "--threads", "1", "--no-inference", "--beside", "")[1])

    def test_variants_that_fail_are_reported_and_the_others_are_measured(self):
        _, report = self.measure("--cases", "mlp", "--threads", "1", "--no-inference")
        for line in (
            "| mlp | 1 | plain eager-foreach | RuntimeError: no such kernel in kernel.so |",
            "| mlp | 1 | plain compiled-update | ended with code 3 |",
            "| mlp | 1 | plain compiled-autotuned | gave no answer in 3 s |",
            "| mlp | 1 | plain whole-autotuned | loss 0.9000, want 0.5000 |",
            "| mlp | 1 | plain whole | 3.000 |",
        ):
            self.assertIn(line, report)

    def test_what_a_variant_given_up_has_compiled_is_forgotten(self):
        cache = self.folder / "inductor-1"
        cache.mkdir()
        for name, age in (("old", 3600), ("new", -3600)):
            (cache / name).write_text("")
            os.utime(cache / name, (time.time() - age,) * 2)
        self.measure("--cases", "mlp", "--threads", "1", "--no-inference")
        self.assertEqual([p.name for p in cache.iterdir()], ["old"])

    def test_a_benchmark_that_fails_is_reported_and_costs_the_exit_code(self):
        code, report = self.measure("--cases", "gru,autoencoder", "--threads", "1", "--no-inference")
        self.assertEqual(code, 1)
        self.assertIn("- gru, 1 thread: moments: train.test ended with code 1: panic: no such network", report)
        self.assertIn("| autoencoder | 1 | 2.000 |", report)

    def test_inference(self):
        code, report = self.measure("--cases", "")
        self.assertEqual(code, 0)
        self.assertIn("| mlp | 1 | 2.00 | 5.00 | 2.50 (2.50 to 2.50) | 0 | 3 |", report)
        self.assertIn("| gru | 1 | 3.00 | - | - | - | - |", report)
        self.assertIn("- gru/rows=1/onnxruntime was skipped: no shared library", report)

    def test_no_process_is_left(self):
        workers = []
        start = speed.Worker.start
        with mock.patch.object(speed.Worker, "start", lambda w: (start(w), workers.append(w.process))):
            self.measure("--cases", "mlp", "--no-inference")
        self.assertTrue(workers)
        self.assertTrue(all(p.returncode is not None for p in workers))

    def test_wrong_usage(self):
        for arguments in (["--cases", "forest"], ["--rounds", "0"], ["--threads", "all"], ["--threads", "0"], ["--seconds", "-1"]):
            with self.subTest(arguments), contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as err:
                speed.main(arguments)
            self.assertEqual(err.exception.code, 2)


class FiguresTest(unittest.TestCase):
    def test_benchmark_lines(self):
        text = "BenchmarkA/b=1-16 \t 12\t 1.5e+06 ns/op\nBenchmarkC-2 \t 7\t 30 ns/op\t 21 median-ns\t 0 B/op\t 0 allocs/op\nBenchmarkB \t 3\t 12.5 ns/op\t 4.0 MB/s\t 8 B/op\t 2 allocs/op\nok  \tpackage\t1.2s\n"
        self.assertEqual(speed.parse_benchmarks(text), {"BenchmarkA/b=1": (1.5e6, None), "BenchmarkB": (12.5, 2), "BenchmarkC": (21, 0)})

    def test_skipped(self):
        self.assertEqual(speed.parse_skips("--- SKIP: BenchmarkA/x-2\n    a_test.go:1: because\n"), {"BenchmarkA/x": "because"})
        self.assertEqual(speed.parse_skips("    --- SKIP: BenchmarkA/x (0.00s)\nPASS\n"), {"BenchmarkA/x": "no reason given"})

    def test_spread(self):
        self.assertEqual(speed.spread([1, 3, 2]), "2.00 (1.00 to 3.00)")
        self.assertEqual(speed.spread([float("nan"), float("inf")]), "-")

    def test_the_best_variant_is_that_of_the_rounds(self):
        result = speed.Result("mlp", 1)
        result.tried = {("a", "x"): 1.0, ("b", "x"): 2.0, ("c", "x"): 3.0, ("d", "x"): "broken", ("e", "x"): None}
        self.assertEqual(result.finalists(), [("a", "x"), ("b", "x")])
        result.theirs = {("a", "x"): [3.0, 3.0, 1.0], ("b", "x"): [2.0, 2.0, 9.0]}
        self.assertEqual(result.best(), ("b", "x"))
        self.assertTrue(result.missing())


if __name__ == "__main__":
    unittest.main()
