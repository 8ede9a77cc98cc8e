"""Times whole trainings on one task: moments beside CatBoost, TabM and RealMLP.

`moments features` exports the encoded examples with the part (train,
validation, test) of each; the others train on exactly these, stop early on the
same validation rows and predict the same test rows, one after the other, each
with all cores. Standard output is a report in Markdown, also written to
train_time.md; progress goes to standard error.

The exit code is 0 when every system was measured, 1 when some failed, and 2 on
wrong usage.
"""

import argparse
import concurrent.futures
import multiprocessing
import os
import pathlib
import re
import subprocess
import sys
import time
import traceback
import types

import numpy as np

from compare_boosting import Failure, catboost, markdown, measure, note, our_predictions, read_fold, read_predictions, rows_of, tables_of, task_file, test_rows

TARGETS = re.compile(r"^label_(.*)")
THREADS = os.cpu_count() or 1

# Rows of the report for moments itself: what is appended to the task file. The
# others train one classifier and no anomaly network.
OURS = {
    "moments": "",
    "moments, no anomaly network": "anomaly: {off: true}\n",
    "moments, one classifier": "networks: {ensemble: 1, additive: false}\nanomaly: {off: true}\n",
}


def main(arguments=None):
    options = parse(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    data = export(options)
    rows, failures = [], []
    for name in options.systems:
        note(f"{name} ...")
        try:
            rows.append(run_ours(name, data, options) if name in OURS else run_theirs(name, data, options))
            note(f"{name}: {rows[-1][1]:.1f} s, AUROC {rows[-1][3]:.4f}")
        except Exception as err:  # one broken system must not cost the others
            note(f"{name}: failed: {err}")
            if not isinstance(err, Failure):
                traceback.print_exc()
            failures.append((name, str(err)))
        text = report(rows, failures, data, options, time.monotonic() - began)
        (options.work / "train_time.md").write_text(text)
    print(text, end="")
    return 1 if failures else 0


def parse(arguments):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--task", default="online_shoppers", help="name of a task file in docs/tasks, or a path")
    p.add_argument("--moments", default="moments", help="the program")
    p.add_argument("--work", type=pathlib.Path, default=pathlib.Path("runs"), help="folder for exports, bundles and train_time.md")
    p.add_argument("--systems", default=";".join([*OURS, *THEIRS]), metavar="'A;B'", help=f"some of {'; '.join([*OURS, *THEIRS])}")
    p.add_argument("--limit", type=float, default=180, help="seconds after which the training of a network of the others is cut short")
    p.add_argument("--seed", type=int, default=1, help="of the others")
    options = p.parse_args(arguments)
    options.task = task_file(options.task)
    if not options.task.is_file():
        p.error(f"--task: no file {options.task}")
    options.systems = [s for s in options.systems.split(";") if s]
    for name in options.systems:
        if name not in OURS and name not in THEIRS:
            p.error(f"--systems: got {name!r}, want some of {'; '.join([*OURS, *THEIRS])}")
    if not options.systems:
        p.error("--systems: got none, want at least one")
    if not options.limit > 0:
        p.error(f"--limit: got {options.limit:g}, want above 0")
    return options


def export(options):
    """Returns the examples of the task's own split, and the target, which must be the only one."""
    path = options.work / "examples.parquet"
    run_program([options.moments, "--quiet", "features", options.task, "-o", path], options)
    frame = read_fold(path, 0, extra_cuts=False)
    targets = [m[1] for c in frame if (m := TARGETS.match(c))]
    if len(targets) != 1:
        raise SystemExit(f"train_time: {options.task} has {len(targets)} targets, want 1")
    return types.SimpleNamespace(frame=frame, target=targets[0], train=len(rows_of(frame, "train", targets[0])), test=len(rows_of(frame, "test", targets[0])))


# --- ours


def run_ours(name, data, options):
    """Trains with the program and scores the saved bundle's predictions of the test rows."""
    bundle = options.work / f"bundle-{list(OURS).index(name)}"
    seconds, cpu = run_program([options.moments, "--quiet", "train", task_variant(name, options), "-o", bundle], options)
    predictions = options.work / "predictions.csv"
    run_program([options.moments, "--quiet", "evaluate", bundle, "--predictions", predictions], options)
    p = our_predictions(read_predictions(predictions), data.frame, 0, data.target)
    return name, seconds, cpu, *measure(test_rows(data.frame, data.target)["label"], p), ""


def task_variant(name, options):
    """Writes the task file with what the row appends beside the bundle; only the task's own paths that are absolute survive that."""
    more = OURS[name]
    if not more:
        return options.task
    text = options.task.read_text()
    for line in more.splitlines():
        if re.search(f"^{line.partition(':')[0]}:", text, re.M):
            raise Failure(f"{options.task.name} has a key {line.partition(':')[0]!r} already")
    path = options.work / f"{options.task.stem}-{list(OURS).index(name)}.yaml"
    path.write_text(text.rstrip("\n") + "\n\n" + more)
    return path


def run_program(command, options):
    """Returns the wall and processor seconds of a command."""
    log = options.work / "moments.log"
    began = time.monotonic()
    with open(log, "wb") as f:
        process = subprocess.Popen([str(c) for c in command], stdout=f, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        last = (log.read_text(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise Failure(f"moments {command[2]} ended with code {process.returncode}: {last}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime


# --- theirs


def run_theirs(name, data, options):
    """Trains in a process of its own, so that no library's threads disturb another's."""
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        seconds, cpu, p, remark = pool.submit(timed, name, data.frame, data.target, options.limit, options.seed).result()
    return name, seconds, cpu, *measure(test_rows(data.frame, data.target)["label"], p), remark


def timed(name, frame, target, limit, seed):
    """Returns wall and processor seconds of training and predicting, the predictions, and a remark; importing is not counted."""
    parts = [rows_of(frame, part, target) for part in ("train", "validation", "test")]
    labels = [rows[f"label_{target}"].to_numpy(int) for rows in parts]
    tables, categorical = tables_of(parts)
    train = THEIRS[name]()
    began, cpu = time.monotonic(), time.process_time()
    p, remark = train(tables, labels, categorical, limit, seed)
    return time.monotonic() - began, time.process_time() - cpu, p, remark


def train_catboost():
    import catboost as _  # imported before the clock runs

    def train(tables, labels, categorical, limit, seed):
        options = types.SimpleNamespace(learning_rate=None, patience=50, threads=THREADS, seed=seed)
        return catboost(tables, labels, categorical, options), ""

    return train


def train_realmlp(**settings):
    from pytabkit import RealMLP_TD_Classifier

    def train(tables, labels, categorical, limit, seed):
        model = RealMLP_TD_Classifier(device="cpu", n_threads=THREADS, random_state=seed, **settings)
        tables = [t.assign(**{c: t[c].astype(object).where(t[c].notna(), "(missing)") for c in categorical}) for t in tables]
        means = tables[0].drop(columns=categorical).mean()  # it takes no missing numbers
        tables = [t.fillna(means) for t in tables]
        began = time.monotonic()
        model.fit(tables[0], labels[0], tables[1], labels[1], cat_col_names=categorical, time_to_fit_in_seconds=limit)
        cut = time.monotonic() - began >= limit
        return model.predict_proba(tables[2])[:, 1], "cut short" if cut else ""

    return train


def train_tabm(patience, **settings):
    import torch
    from rtdl_num_embeddings import PiecewiseLinearEmbeddings, compute_bins
    from tabm import TabM

    torch.set_num_threads(THREADS)

    def train(tables, labels, categorical, limit, seed):
        torch.manual_seed(seed)
        numbers, ids, cardinalities = encode(tables, categorical, seed)
        numbers, ids = [torch.from_numpy(x) for x in numbers], [torch.from_numpy(x) for x in ids]
        y = [torch.from_numpy(x).float() for x in labels]
        embeddings = PiecewiseLinearEmbeddings(compute_bins(numbers[0], n_bins=48), d_embedding=16, activation=False, version="B")
        model = TabM.make(n_num_features=numbers[0].shape[1], cat_cardinalities=cardinalities, d_out=1, num_embeddings=embeddings, **settings)
        optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=3e-4, fused=True)

        def logits(part, rows):
            return model(numbers[part][rows], ids[part][rows] if cardinalities else None)[..., 0]

        def predict(part):
            model.eval()
            with torch.inference_mode():
                return torch.cat([logits(part, rows).sigmoid().mean(1) for rows in torch.arange(len(y[part])).split(1024)])

        began, best, state, stale, epochs = time.monotonic(), np.inf, None, 0, 0
        while stale < patience and time.monotonic() - began < limit:
            model.train()
            for rows in torch.randperm(len(y[0])).split(256):
                z = logits(0, rows)
                optimiser.zero_grad(set_to_none=True)
                torch.nn.functional.binary_cross_entropy_with_logits(z, y[0][rows, None].expand_as(z)).backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimiser.step()
            epochs, stale = epochs + 1, stale + 1
            loss = torch.nn.functional.binary_cross_entropy(predict(1), y[1]).item()
            if loss < best:
                best, state, stale = loss, {n: v.clone() for n, v in model.state_dict().items()}, 0
        model.load_state_dict(state)
        return predict(2).numpy(), f"{epochs} epochs" + (", cut short" if stale < patience else "")

    return train


def encode(tables, categorical, seed):
    """Returns numbers mapped to a normal distribution by their quantiles in training, ids of the categories, and numbers of these."""
    from sklearn.preprocessing import QuantileTransformer

    numeric = [c for c in tables[0] if c not in categorical and tables[0][c].nunique() > 1]
    means = tables[0][numeric].mean()
    raw = [t[numeric].fillna(means).to_numpy(np.float32) for t in tables]
    # Noise parts equal values, as the authors of TabM do.
    noisy = raw[0] + np.random.default_rng(seed).normal(0, 1e-5, raw[0].shape).astype(np.float32)
    transform = QuantileTransformer(
        n_quantiles=max(min(len(raw[0]) // 30, 1000), 10), output_distribution="normal", subsample=10**9, random_state=seed).fit(noisy)
    numbers = [transform.transform(x).astype(np.float32) for x in raw]
    # The last id of a category is that of missing and unseen levels.
    ids = [np.stack([np.where(t[c].cat.codes < 0, len(t[c].cat.categories), t[c].cat.codes).astype(np.int64) for c in categorical], 1)
           if categorical else np.zeros((len(t), 0), np.int64) for t in tables]
    return numbers, ids, [len(tables[0][c].cat.categories) + 1 for c in categorical]


THEIRS = {
    "CatBoost": train_catboost,
    "TabM, published size": lambda: train_tabm(patience=16),  # TabM.make's own defaults: k=32, d=512, two blocks
    # The size, dropout and patience of moments; see moments train --help.
    "TabM, the size of moments": lambda: train_tabm(patience=8, arch_type="tabm-mini", k=16, d_block=128, n_blocks=2, dropout=0.2),
    "RealMLP": train_realmlp,
    "RealMLP, for probabilities": lambda: train_realmlp(val_metric_name="cross_entropy", use_ls=False),  # its authors' advice for log-loss and AUROC
}


# --- the report


def report(rows, failures, data, options, seconds):
    from importlib.metadata import version

    packages = ", ".join(f"{p} {version(p)}" for p in ("catboost", "tabm", "pytabkit", "torch"))
    out = [
        "# Training time", "",
        f"Task {options.task.stem}: {data.train:,} training and {data.test:,} test rows; {THREADS} cores; {packages}; all of it in {seconds / 60:.0f} minutes."
        " Ours is the whole program, from the files to the saved and evaluated bundle; theirs is training and predicting the test rows, with the examples encoded in memory.", "",
    ]
    out[-2] += f" Networks that take longer than {options.limit:g} s are cut short."
    lines = [[n, f"{s / data.train * 1000:.2f}", f"{s:.1f}", f"{c:.1f}", f"{auroc:.4f}", f"{loss:.4f}", remark] for n, s, c, auroc, loss, remark in rows]
    out += markdown(["", "seconds per 1,000 training rows", "seconds", "processor seconds", "AUROC", "log-loss", "remark"], lines) + [""]
    if failures:
        out += ["## Failed", ""] + [f"- {name}: {reason}" for name, reason in failures] + [""]
    return "\n".join(out)


if __name__ == "__main__":
    sys.exit(main())
