"""Tests of serve.py that need no server: python -m unittest serve_test.py"""

import contextlib
import io
import json
import pathlib
import random
import tempfile
import unittest

import serve


class TestArguments(unittest.TestCase):
    def parse(self, *more):
        return serve.parse(["--moments", "moments", "--fortio", "fortio", *more])

    def test_lists(self):
        o = self.parse("--connections", "1,16", "--rates", "", "--systems", "MLServer, in process;FastAPI, 1 worker", "--parts", "load")
        self.assertEqual((o.connections, o.rates, o.systems, o.parts), ([1, 16], [], ["MLServer, in process", "FastAPI, 1 worker"], ["load"]))

    def test_refuses(self):
        for wrong in (["--parts", "zzz"], ["--systems", "zzz"], ["--connections", "many"], ["--rounds", "0"], ["--seconds", "0.5"]):
            with self.subTest(wrong), contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as e:
                self.parse(*wrong)
            self.assertEqual(e.exception.code, 2)


class TestRequests(unittest.TestCase):
    def test_rows(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "features.csv"
            path.write_text("customer,cutoff,group,fold,part,label_y,a,b,c\n1,t,,0,train,1,2.5,,x\n2,t,,0,test,0,3,4,\n")
            self.assertEqual(serve.read_rows(path, 5, 2), [([2.5, None], ["x"]), ([3, 4], [""])])

    def test_tensors(self):
        tensors = serve.random_tensors([["numeric", 3], ["category", 2]], random.Random(1))
        body = json.loads(serve.oip(tensors))
        self.assertEqual([(i["name"], i["shape"], i["datatype"], len(i["data"])) for i in body["inputs"]], [("numeric", [1, 3], "FP32", 3), ("category", [1, 2], "FP32", 2)])
        self.assertTrue(set(body["inputs"][1]["data"]) <= {0, 1})


class TestReports(unittest.TestCase):
    def test_fortio(self):
        def histogram(p50, p99):
            return {"Percentiles": [{"Percentile": 50, "Value": p50}, {"Percentile": 99, "Value": p99}]}

        r = serve.read_fortio({
            "RetCodes": {"200": 80, "503": 15, "-1": 5}, "ActualDuration": 2e9, "ActualQPS": 50,
            "DurationHistogram": histogram(0.001, 0.002), "ErrorsDurationHistogram": histogram(0.0001, 0.0002),
        })
        self.assertEqual((r["good"], r["failed"], r["busy"], r["other"], r["p99"], r["failed_p99"]), (40, 20, 15, 5, 0.002, 0.0002))

    def test_without_errors(self):
        r = serve.read_fortio({"RetCodes": {"200": 1}, "ActualDuration": 1e9, "ActualQPS": 1, "DurationHistogram": {"Percentiles": [{"Percentile": 50, "Value": 1}, {"Percentile": 99, "Value": 2}]}})
        self.assertEqual((r["failed"], r["failed_p99"], serve.millis(r["failed_p99"])), (0, None, ""))


class TestExchange(unittest.TestCase):
    def test_exchange(self):
        with tempfile.TemporaryDirectory() as folder:
            a, b = pathlib.Path(folder) / "a", pathlib.Path(folder) / "b"
            for p in (a, b):
                p.mkdir()
                (p / "name").write_text(p.name)
            serve.exchange(a, b)
            self.assertEqual(((a / "name").read_text(), (b / "name").read_text()), ("b", "a"))
            with self.assertRaises(OSError):
                serve.exchange(a, pathlib.Path(folder) / "none")


if __name__ == "__main__":
    unittest.main()
