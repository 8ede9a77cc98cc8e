"""Tests train_time.py with a stand-in for the program: python -m unittest train_time_test.py"""

import contextlib
import io
import pathlib
import stat
import sys
import tempfile
import unittest

import numpy as np
import pandas as pd

import train_time
from compare_boosting import tables_of
from compare_boosting_test import fabricate

# Copies the files that the test has prepared to where the program would write its own; training keeps the task file that it got.
PROGRAM = """#!{python}
import pathlib, shutil, sys
here = pathlib.Path(__file__).parent
_, quiet, command, what, option, output = sys.argv
if command == "features":
    shutil.copy(here / "examples.parquet", output)
elif command == "train":
    pathlib.Path(output).mkdir(parents=True, exist_ok=True)
    shutil.copy(what, pathlib.Path(output) / "task.yaml")
else:
    shutil.copy(here / "predictions.csv", output)
"""


class TrainTimeTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        fabricate(self.folder)
        program = self.folder / "moments"
        program.write_text(PROGRAM.format(python=sys.executable))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.task = self.folder / "task.yaml"
        self.task.write_text("name: x\n")

    def measure(self, systems):
        out = io.StringIO()
        arguments = ["--task", str(self.task), "--moments", str(self.folder / "moments"), "--work", str(self.folder / "runs"), "--systems", systems]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = train_time.main(arguments)
        return code, out.getvalue()

    def test_every_system_is_scored_on_the_same_rows(self):
        code, report = self.measure("moments;moments, one classifier;CatBoost;TabM, the size of moments")
        self.assertEqual(code, 0, report)
        rows = [line.split(" | ") for line in report.splitlines() if line.startswith(("| moments", "| CatBoost", "| TabM"))]
        self.assertEqual(len(rows), 4)
        for row in rows:
            self.assertGreater(float(row[4]), 0.7, row)
            self.assertAlmostEqual(float(row[1]), float(row[2]) / 240 * 1000, delta=1)

    def test_the_task_of_a_row_is_the_task_and_more(self):
        self.measure("moments;moments, one classifier")
        texts = [(self.folder / "runs" / f"bundle-{i}" / "task.yaml").read_text() for i in (0, 2)]
        self.assertEqual(texts, ["name: x\n", "name: x\n\nnetworks: {ensemble: 1}\nanomaly: {off: true}\n"])

    def test_a_task_that_chooses_itself_is_not_overruled(self):
        self.task.write_text("name: x\nnetworks: {width: 8}\n")
        code, report = self.measure("moments;moments, one classifier")
        self.assertEqual(code, 1)
        self.assertIn("- moments, one classifier: task.yaml has a key 'networks' already", report)

    def test_wrong_usage(self):
        for systems in ("forest", ""):
            with self.subTest(systems), self.assertRaises(SystemExit) as err:
                self.measure(systems)
            self.assertEqual(err.exception.code, 2)


class EncodeTest(unittest.TestCase):
    def test_missing_and_unseen_levels_share_the_last_id(self):
        train = pd.DataFrame({"x": np.arange(100.0), "constant": 1.0, "plan": ["a", "b"] * 50, "label_y": 0.0})
        test = pd.DataFrame({"x": [-5.0, np.nan], "constant": 1.0, "plan": ["c", None], "label_y": 0.0})
        tables, categorical = tables_of([train, test])
        numbers, ids, cardinalities = train_time.encode(tables, categorical, 1)
        self.assertEqual(cardinalities, [3])
        self.assertEqual(ids[1].tolist(), [[2], [2]])
        self.assertEqual(numbers[0].shape, (100, 1))  # the constant column is left out
        self.assertLess(numbers[1][0, 0], -3)
        self.assertAlmostEqual(numbers[1][1, 0], 0, delta=0.1)


if __name__ == "__main__":
    unittest.main()
