"""Tests compare_boosting.py with a stand-in for the program: python -m unittest compare_boosting_test.py"""

import contextlib
import io
import pathlib
import stat
import sys
import tempfile
import unittest

import numpy as np
import pandas as pd

import compare_boosting

# Copies the files that the test has prepared to where the program would write its own.
PROGRAM = """#!{python}
import pathlib, shutil, sys
command, task = sys.argv[1], pathlib.Path(sys.argv[2])
if task.stem == "broken":
    print("cutoffs: got tomorrow, want a date", file=sys.stderr)
    sys.exit(2)
here = pathlib.Path(__file__).parent
if command == "features":
    shutil.copy(here / "examples.parquet", sys.argv[sys.argv.index("-o") + 1])
else:
    shutil.copy(here / "predictions.csv", sys.argv[sys.argv.index("--predictions") + 1])
"""


def fabricate(folder, customers=300, folds=2):
    """Two cutoffs a customer; the label follows a number and a category, the networks' stand-in knows it with noise."""
    rng = np.random.default_rng(1)
    examples = pd.DataFrame({
        "customer": np.repeat(np.arange(customers).astype(str), 2),
        "cutoff": pd.to_datetime("2024-01-01T00:00:00Z") + pd.to_timedelta(np.arange(2 * customers), "s"),
        "group": ["after 5 events", "after 10 events"] * customers,
        "amount": rng.normal(size=2 * customers).astype("float32"),
        "plan": rng.choice(["a", "b", None], 2 * customers),
        "never": np.nan,
    })
    logit = 2 * examples["amount"] + (examples["plan"] == "a") * 2 - 1
    examples["label_churn"] = (rng.uniform(size=len(logit)) < 1 / (1 + np.exp(-logit))).astype("float32")
    examples.loc[0, "label_churn"] = np.nan
    frames, predictions = [], []
    for fold in range(folds):
        f = examples.assign(fold=fold, part="train")
        place = np.repeat(np.arange(customers), 2)
        f.loc[place % folds == fold, "part"] = "test"
        f.loc[(place % folds != fold) & (place % 5 == 0), "part"] = "validation"
        f.loc[(f["part"] == "test") & (place % 7 == 0), "plan"] = "never seen in training"
        frames.append(f)
        t = f[(f["part"] == "test")].sample(frac=1, random_state=1)
        predictions.append(pd.DataFrame({
            "customer": t["customer"], "cutoff": t["cutoff"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"), "group": t["group"], "fold": fold, "target": "churn",
            "label": t["label_churn"], "probability": 1 / (1 + np.exp(-logit[t.index])),
        }))
    pd.concat(frames).to_parquet(folder / "examples.parquet", index=False)
    pd.concat(predictions).to_csv(folder / "predictions.csv", index=False)


class CompareTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        fabricate(self.folder)
        self.program = self.folder / "moments"
        self.program.write_text(PROGRAM.format(python=sys.executable))
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)
        for name in ("good", "broken"):
            (self.folder / f"{name}.yaml").write_text("name: x\n")

    def compare(self, tasks, *more):
        out = io.StringIO()
        arguments = ["--tasks", ",".join(str(self.folder / f"{t}.yaml") for t in tasks), "--moments", str(self.program), "--work", str(self.folder / "runs"), "--folds", "2", *more]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = compare_boosting.main(arguments)
        return code, out.getvalue()

    def scores(self):
        return pd.read_csv(self.folder / "runs" / "scores.csv", keep_default_na=False)

    def test_every_booster_learns_and_every_group_is_scored(self):
        code, report = self.compare(["good"])
        self.assertEqual(code, 0)
        scores = self.scores()
        self.assertEqual(set(scores["system"]), {"moments", "xgboost", "lightgbm", "catboost"})
        self.assertEqual(set(scores["group"]), {"", "after 5 events", "after 10 events"})
        self.assertEqual(len(scores), 2 * 3 * 4)
        self.assertGreater(scores["auroc"].min(), 0.7)
        self.assertLess(report.index("AUROC, after 5 events"), report.index("AUROC, after 10 events"))
        self.assertIn("**mean of 1**", report)

    def test_unknown_labels_are_left_out(self):
        self.compare(["good"], "--boosters", "lightgbm")
        whole = self.scores().query("group == '' and system == 'moments'")
        self.assertEqual(list(whole["rows"]), [299, 300])

    def test_equal_seeds_give_equal_reports(self):
        first = self.compare(["good"])[1]
        self.assertEqual(first, self.compare(["good"])[1])

    def test_a_broken_task_is_reported_and_the_others_are_compared(self):
        code, report = self.compare(["broken", "good"], "--boosters", "xgboost")
        self.assertEqual(code, 1)
        self.assertIn("- broken: moments features ended with code 2: cutoffs: got tomorrow, want a date", report)
        self.assertIn("## good: churn", report)

    def test_other_test_rows_are_refused(self):
        path = self.folder / "predictions.csv"
        pd.read_csv(path).iloc[1:].to_csv(path, index=False)
        code, report = self.compare(["good"])
        self.assertEqual(code, 1)
        self.assertIn("1 of the exported ones without a prediction", report)

    def test_wrong_usage(self):
        for arguments in (["--boosters", "forest"], ["--folds", "1"], ["--tasks", "no-such-task"]):
            with self.subTest(arguments), contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as err:
                compare_boosting.main(arguments)
            self.assertEqual(err.exception.code, 2)


class FiguresTest(unittest.TestCase):
    def test_difference(self):
        self.assertEqual(compare_boosting.difference(pd.Series([0.01, 0.03])), "+0.0200 ± 0.0100")
        self.assertEqual(compare_boosting.difference(pd.Series([0.01])), "+0.0100")
        self.assertEqual(compare_boosting.difference(pd.Series([np.nan])), "-")

    def test_measure(self):
        auroc, loss = compare_boosting.measure([0, 1, 1], [0.5, 0.5, 0.5])
        self.assertEqual(auroc, 0.5)
        self.assertAlmostEqual(loss, np.log(2))
        self.assertTrue(np.isnan(compare_boosting.measure([1, 1], [0.9, 0.9])[0]))

    def test_natural_order(self):
        self.assertEqual(sorted(["after 10 events", "after 5 events"], key=compare_boosting.natural), ["after 5 events", "after 10 events"])


if __name__ == "__main__":
    unittest.main()
