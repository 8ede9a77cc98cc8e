"""Trains four foreign classifiers, exports each with its own tool, and writes
what the tool itself predicts, so that tests can hold this program against it.

  python make.py PATH-OF-MOMENTS

Needs torch, onnxscript, scikit-learn, skl2onnx, lightgbm, xgboost, onnxmltools
and onnx. It writes events.csv, profiles.csv, labels.csv, *.onnx and expected.csv
beside itself; task.yaml and the maps are written by hand. The features come from
`moments features`, as they would for anybody who trains elsewhere.
"""

import csv
import os
import random
import subprocess
import sys
import tempfile

import lightgbm
import numpy as np
import onnx
import onnxmltools
import torch
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as LearnerFloats
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = os.path.dirname(os.path.abspath(__file__))
NUMERIC = ["age", "income", "timing/events", "timing/recency_days", "event:purchase/count", "attribute:amount/mean"]
PLANS = ["basic", "gold", "plus"]


def write(name, header, rows):
    with open(os.path.join(HERE, name), "w", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(header)
        w.writerows(rows)


def make_data():
    """A hundred and sixty customers; who buys and has a plan stays."""
    rnd = random.Random(5)
    events, profiles, labels = [], [], []
    for i in range(160):
        customer, plan = f"c{i:03}", rnd.choice(PLANS)
        age = "" if rnd.random() < 0.1 else rnd.randint(18, 80)
        profiles.append([customer, age, round(rnd.lognormvariate(10, 0.4), 2), plan if rnd.random() > 0.05 else ""])
        bought, day = 0, 1
        for _ in range(rnd.randint(2, 7)):
            day = min(day + rnd.randint(0, 8), 28)
            kind = rnd.choice(["visit", "visit", "purchase", "call"])
            bought += kind == "purchase"
            amount = round(rnd.expovariate(1 / 40), 2) if kind == "purchase" else ""
            events.append([customer, f"2025-02-{day:02}T{rnd.randint(0, 23):02}:15:00Z", kind, amount])
        leaves = rnd.random() < 1 / (1 + np.exp(1.2 * bought + (plan == "gold") - 1.5))
        labels.append([customer, "yes" if leaves else "no"])
    write("events.csv", ["customer", "time", "type", "amount"], events)
    write("profiles.csv", ["customer", "age", "income", "plan"], profiles)
    write("labels.csv", ["customer", "churn"], labels)


def read_features(program):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "features.csv")
        subprocess.run([program, "--quiet", "features", os.path.join(HERE, "task.yaml"), "-o", path], check=True)
        with open(path, newline="") as f:
            return list(csv.DictReader(f))


def number(text):
    return np.float32(text) if text else np.float32("nan")


def save(name, raw):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(raw)


def train_torch(numbers, y):
    """An MLP that standardises by itself and answers with one logit."""

    class MLP(torch.nn.Module):
        def __init__(self, mean, deviation):
            super().__init__()
            self.register_buffer("mean", mean)
            self.register_buffer("deviation", deviation)
            self.layers = torch.nn.Sequential(torch.nn.Linear(len(mean), 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))

        def forward(self, x):
            return self.layers((x - self.mean) / self.deviation)

    torch.manual_seed(1)
    x, labels = torch.from_numpy(np.nan_to_num(numbers, nan=-1)), torch.from_numpy(y).float()[:, None]
    net = MLP(x.mean(0), x.std(0))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(net(x), labels).backward()
        optimizer.step()
    path = os.path.join(HERE, "torch.onnx")
    batch = torch.export.Dim("batch")
    torch.onnx.export(net.eval(), (x[:2],), path, input_names=["input"], output_names=["logit"], opset_version=18,
                      dynamo=True, dynamic_shapes={"x": {0: batch}}, external_data=False, verbose=False)
    strip(path)
    return torch.sigmoid(net(x)).detach().numpy()[:, 0]


def strip(path):
    """Takes the stack traces out, which name the files of this machine."""
    model = onnx.load(path)
    del model.metadata_props[:]
    for part in [*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer, model.graph]:
        del part.metadata_props[:]
    onnx.save(model, path)


def train_sklearn(numbers, rows, y):
    """A pipeline with an input of its own for each column."""
    import pandas

    frame = pandas.DataFrame({f"n{i}": numbers[:, i] for i in range(len(NUMERIC))})
    frame["plan"] = [row["plan"] for row in rows]
    frame["last_type"] = [row["timing/last_type"] for row in rows]
    scale = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer([
        ("numbers", scale, [c for c in frame if c.startswith("n")]),
        ("texts", OneHotEncoder(handle_unknown="ignore"), ["plan", "last_type"]),
    ])
    model = make_pipeline(columns, LogisticRegression(C=0.5)).fit(frame, y)
    types = [(c, FloatTensorType([None, 1]) if c.startswith("n") else StringTensorType([None, 1])) for c in frame]
    save("sklearn.onnx", to_onnx(model, initial_types=types, target_opset=17).SerializeToString())
    return model.predict_proba(frame)[:, 1]


def train_boosters(numbers, rows, y):
    codes = np.array([[PLANS.index(r["plan"]) if r["plan"] in PLANS else np.nan] for r in rows], dtype=np.float32)
    x = np.hstack([numbers, codes])
    inputs = [("input", LearnerFloats([None, x.shape[1]]))]

    light = lightgbm.LGBMClassifier(n_estimators=12, num_leaves=5, min_child_samples=5, verbose=-1, random_state=1).fit(x, y)
    save("lightgbm.onnx", onnxmltools.convert_lightgbm(light, initial_types=inputs, target_opset=15).SerializeToString())

    extreme = xgboost.XGBClassifier(n_estimators=12, max_depth=3, random_state=1).fit(x, y)
    save("xgboost.onnx", onnxmltools.convert_xgboost(extreme, initial_types=inputs, target_opset=15).SerializeToString())
    return light.predict_proba(x)[:, 1], extreme.predict_proba(x)[:, 1]


def main():
    make_data()
    rows = read_features(sys.argv[1])
    y = np.array([row["label_churn"] == "1" for row in rows], dtype=np.int64)
    numbers = np.array([[number(row[c]) for c in NUMERIC] for row in rows], dtype=np.float32)
    expected = [train_torch(numbers, y), train_sklearn(numbers, rows, y), *train_boosters(numbers, rows, y)]
    write("expected.csv", ["customer", "torch", "sklearn", "lightgbm", "xgboost"],
          [[row["customer"], *(f"{p:.9g}" for p in ps)] for row, *ps in zip(rows, *expected)])


main()
