"""Tests journeys.py with a stand-in for the program: python -m unittest journeys_test.py"""

import contextlib
import io
import json
import pathlib
import stat
import sys
import tempfile
import unittest

import journeys

# Notes each call and prints what the program would.
PROGRAM = """#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
with open(here / "calls", "a") as f:
    print(*sys.argv[2:], file=f)
verb = sys.argv[2]
if verb == "train" and "pretrain: true" in pathlib.Path(sys.argv[3]).read_text() and (here / "broken").exists():
    sys.exit("no such luck")
print((here / (verb + ".json")).read_text())
"""


def spread(mean):
    return {"mean": mean, "sd": 0, "folds": [mean]}


class JourneysTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.program = self.folder / "moments"
        self.program.write_text(PROGRAM.format(python=sys.executable))
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)
        cut = {"rows": 7, "auroc": spread(0.61), "log_loss": spread(0.5), "auroc_of": {"events alone": spread(0.6), "order shuffled": spread(0.55)}}
        figures = {"targets": {"won": {**cut, "rows": 9, "by_cutoff": {"after 10 events": cut, "after 5 events": {**cut, "auroc": spread(None)}}}}}
        (self.folder / "train.json").write_text(json.dumps(figures))
        order = {"order": "at random", "deletion": 0.5, "insertion": 0.4, "deletion_gain": 0.1, "deletion_gain_se": 0.01, "insertion_gain": 0.05, "insertion_gain_se": 0.02}
        (self.folder / "explain.json").write_text(json.dumps({"target": "won", "journeys": 300, "orders": [order, {**order, "order": "by gradient", "deletion": None}]}))
        cause = {"target": "won", "precision_at_1": 0.9, "planted_at_1": 0.95, "largest": 0.8, "close_to_largest": 0.85, "effect_over_largest": 0.95, "sign_accuracy": 0.99, "kendall_tau": 0.85, "somers_d": 0.92, "correlation": 0.7}
        (self.folder / "demo.json").write_text(json.dumps({"causes": [cause], "targets": [{"name": "won", "auroc": 0.83, "auroc_of_truth": 0.87}]}))

    def run_main(self, *arguments):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = journeys.main(["--moments", str(self.program), "--work", str(self.folder / "work"), *arguments])
        return code, out.getvalue()

    def test_report(self):
        code, text = self.run_main("--seeds", "2", "--sets", "cdnow", "--checked", "cdnow")
        self.assertEqual(code, 0)
        for want in [
            "| cdnow: won | 9 |  |  | 0.6100 |  |  | 0.6000 |  | 0.5500 |",
            "| cdnow: after 5 events | 7 |  |  |  |",
            "| at random | 0.5000 | +10.00 ± 1.00 | 0.4000 | +5.00 ± 2.00 |",
            "| won: a planted cause comes first | 0.900 | 0.900 | 0.900 |",
            "| won: effect of the first over the largest | 0.950 | 0.950 | 0.950 |",
            "labels of 5% of the customers",
        ]:
            self.assertIn(want, text)
        self.assertLess(text.index("after 5 events"), text.index("after 10 events"))
        self.assertNotIn("by gradient", text)
        calls = (self.folder / "calls").read_text()
        self.assertIn("demo --full --customers 20000 --seed 2 --json", calls)
        self.assertEqual((self.folder / "work" / "journeys.md").read_text(), text)

    def test_a_failing_part_costs_no_other(self):
        (self.folder / "broken").touch()
        code, text = self.run_main("--parts", "labels,planted", "--seeds", "1", "--sets", "cdnow")
        self.assertEqual(code, 1)
        self.assertIn("**labels failed:** moments train", text)
        self.assertIn("no such luck", text)
        self.assertIn("## Planted moments", text)

    def test_wrong_usage(self):
        for arguments in [["--parts", "dreams"], ["--sets", "nothing"]]:
            with self.assertRaises(SystemExit) as stopped:
                self.run_main(*arguments)
            self.assertEqual(stopped.exception.code, 2)


if __name__ == "__main__":
    unittest.main()
