"""Compares the networks of moments with gradient boosting, fold by fold.

For every task file, `moments features --folds` exports the encoded examples
with the part (train, validation, test) that each has in each fold, and
`moments evaluate --folds` writes the out-of-fold predictions of the networks.
XGBoost, LightGBM and CatBoost then train on the very same columns and training
rows, stop early on the same validation rows and predict the same test rows.
Standard output is a report in Markdown; progress goes to standard error.

The exit code is 0 when every task was compared, 1 when some failed, and 2 on
wrong usage.
"""

import argparse
import pathlib
import subprocess
import sys
import time
import traceback

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

TASKS = pathlib.Path(__file__).resolve().parent.parent / "tasks"
KEYS = ["customer", "cutoff", "group"]  # what names an example
FIXED = KEYS + ["fold", "part"]
OURS = "moments"


def main(arguments=None):
    options = parse(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    rows, failures = [], []
    for task in options.tasks:
        try:
            rows += compare(task, options)
        except Exception as err:  # one broken task must not cost the others
            note(f"{task.stem}: failed: {err}")
            if not isinstance(err, Failure):
                traceback.print_exc()
            failures.append((task.stem, str(err)))
        # Written after every task, so that an interrupted run leaves what it found.
        report = Report(pd.DataFrame(rows, columns=SCORES), failures, options)
        (options.work / "report.md").write_text(report.text())
    print(report.text(), end="")
    return 1 if failures else 0


def parse(arguments):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--tasks", default="", metavar="A,B", help="names of task files in docs/tasks, or paths; default all of docs/tasks")
    p.add_argument("--moments", default="moments", help="the program")
    p.add_argument("--work", type=pathlib.Path, default=pathlib.Path("runs"), help="folder for exports, predictions, logs, scores.csv, report.md")
    p.add_argument("--folds", type=int, default=5)
    p.add_argument("--threads", type=int, default=2, help="threads of the boosters")
    p.add_argument("--boosters", default=",".join(BOOSTERS), metavar="A,B", help=f"some of {', '.join(BOOSTERS)}")
    p.add_argument("--learning-rate", type=float, help="of every booster; default: each library's own")
    p.add_argument("--rounds", type=int, default=5000, help="most trees")
    p.add_argument("--patience", type=int, default=50, help="rounds without a better validation log-loss after which a booster stops")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--extra-cuts", action="store_true", help="the boosters train on the further cuts of training journeys too that moments adds")
    p.add_argument("--reuse", action="store_true", help="keep exports and predictions that are newer than the task file")
    options = p.parse_args(arguments)
    options.boosters = [b for b in options.boosters.split(",") if b]
    for name in options.boosters:
        if name not in BOOSTERS:
            p.error(f"--boosters: got {name!r}, want some of {', '.join(BOOSTERS)}")
    if options.folds < 2:
        p.error(f"--folds: got {options.folds}, want at least 2")
    options.tasks = [task_file(t) for t in options.tasks.split(",") if t] or sorted(TASKS.glob("*.yaml"))
    for task in options.tasks:
        if not task.is_file():
            p.error(f"--tasks: no file {task}; {TASKS} has {', '.join(sorted(t.stem for t in TASKS.glob('*.yaml')))}")
    return options


def task_file(name):
    path = pathlib.Path(name)
    return path if path.suffix in (".yaml", ".yml") else TASKS / f"{name}.yaml"


def note(text):
    print(text, file=sys.stderr, flush=True)


class Failure(Exception):
    """What went wrong with a task, in words for people."""


# --- running the program


def compare(task, options):
    """Returns the scores of every system on every fold, target and group of a task."""
    examples, predictions = run_program(task, options)
    scores, seconds = [], dict.fromkeys(options.boosters, 0.0)
    for fold in range(options.folds):
        frame = read_fold(examples, fold, options.extra_cuts)
        for target in targets_of(frame):
            results = {OURS: our_predictions(predictions, frame, fold, target)}
            for booster in options.boosters:
                began = time.monotonic()
                results[booster] = boosted(booster, frame, target, fold, options)
                seconds[booster] += time.monotonic() - began
            scores += score(task.stem, target, fold, test_rows(frame, target), results)
        note(f"{task.stem}: fold {fold + 1} of {options.folds} compared")
    note(f"{task.stem}: " + ", ".join(f"{b} {s:.1f} s" for b, s in seconds.items()))
    return scores


def run_program(task, options):
    examples = options.work / f"{task.stem}.parquet"
    predictions = options.work / f"{task.stem}.predictions.csv"
    extra = ["--extra-cuts"] if options.extra_cuts else []
    folds = ["--folds", str(options.folds)]
    run([options.moments, "features", task, *folds, *extra, "-o", examples], examples, task, options)
    figures = options.work / f"{task.stem}.json"
    run([options.moments, "evaluate", task, *folds, "--predictions", predictions, "--json", figures], predictions, task, options)
    return examples, read_predictions(predictions)


def run(command, output, task, options):
    """Runs the program unless its output may be used again; its log lies beside the output."""
    if options.reuse and output.exists() and output.stat().st_mtime > task.stat().st_mtime:
        note(f"{task.stem}: using {output} again")
        return
    note(f"{task.stem}: " + " ".join(map(str, command[1:3])))
    log = output.with_name(output.name + ".log")
    began = time.monotonic()
    with open(log, "wb") as f:
        code = subprocess.run([str(c) for c in command], stdout=f, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL).returncode
    if code != 0:
        last = (log.read_text(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise Failure(f"moments {command[1]} ended with code {code}: {last} (all of it in {log})")
    if not output.exists():
        raise Failure(f"moments {command[1]} wrote no {output}")
    note(f"{task.stem}: {command[1]} took {time.monotonic() - began:.1f} s")


def read_predictions(path):
    texts = dict.fromkeys(["customer", "cutoff", "group", "target"], str)
    frame = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values={c: "" for c in ("cutoff", "label", "probability")})
    missing = [c for c in KEYS + ["fold", "target", "label", "probability"] if c not in frame]
    if missing:
        raise Failure(f"{path} lacks the columns {missing}")
    return frame


def read_fold(path, fold, extra_cuts):
    """Reads one fold; further cuts (part "extra") count as training rows when asked for, else not at all."""
    frame = pd.read_parquet(path, filters=[("fold", "==", fold)])
    missing = [c for c in FIXED if c not in frame]
    if missing:
        raise Failure(f"{path} lacks the columns {missing}")
    frame["part"] = frame["part"].replace({"extra": "train" if extra_cuts else "none"})
    frame = normal_keys(frame[frame["part"].isin(["train", "validation", "test"])])
    for part in ("train", "validation", "test"):
        if not (frame["part"] == part).any():
            raise Failure(f"{path}: fold {fold} has no {part} rows")
    return frame


def normal_keys(frame):
    """Writes the keys in one way, whichever file they come from; `occurrence` tells equal examples apart."""
    frame = frame.copy()
    frame["customer"] = frame["customer"].astype(str)
    frame["group"] = frame["group"].fillna("").astype(str)
    time_ = pd.to_datetime(frame["cutoff"], utc=True, format=None if frame["cutoff"].dtype.kind in "Mi" else "ISO8601")
    frame["cutoff"] = time_.dt.as_unit("us").astype("int64").where(time_.notna(), -1)
    frame["occurrence"] = frame.groupby(KEYS).cumcount()
    return frame.reset_index(drop=True)


def targets_of(frame):
    targets = [c.removeprefix("label_") for c in frame.columns if c.startswith("label_")]
    if not targets:
        raise Failure("the task has no targets, want at least one to compare on")
    return targets


def rows_of(frame, part, target):
    return frame[(frame["part"] == part) & frame[f"label_{target}"].notna()]


def test_rows(frame, target):
    rows = rows_of(frame, "test", target)
    return rows[KEYS + ["occurrence"]].assign(label=rows[f"label_{target}"].astype(int))


def our_predictions(predictions, frame, fold, target):
    """Returns the networks' probabilities in the order of the test rows, which must be the same examples."""
    want = test_rows(frame, target)
    have = predictions[(predictions["fold"] == fold) & (predictions["target"] == target) & predictions["label"].notna()]
    have = normal_keys(have)
    both = want.merge(have, on=KEYS + ["occurrence"], how="left", suffixes=("", "_ours"))
    lost = int(both["probability"].isna().sum())
    if lost or len(have) != len(want):
        raise Failure(f"fold {fold}, target {target}: {len(want)} test examples exported, {len(have)} predicted, {lost} of the exported ones without a prediction")
    if (both["label"] != both["label_ours"]).any():
        raise Failure(f"fold {fold}, target {target}: labels of the export and of the predictions differ")
    return both["probability"].to_numpy(float)


# --- boosting


def boosted(booster, frame, target, fold, options):
    """Trains on the training rows, stops early on the validation rows, returns probabilities of the test rows."""
    parts = [rows_of(frame, part, target) for part in ("train", "validation", "test")]
    labels = [rows[f"label_{target}"].to_numpy(int) for rows in parts]
    for name, y in zip(("train", "validation"), labels):
        if len(np.unique(y)) < 2:
            raise Failure(f"fold {fold}, target {target}: the {name} rows have one class, want two")
    tables, categorical = tables_of(parts)
    return BOOSTERS[booster](tables, labels, categorical, options)


def tables_of(parts):
    """Splits off the feature columns. The levels of a category are those of training; others are missing."""
    train = parts[0]
    features = [c for c in train.columns if c not in FIXED + ["occurrence"] and not c.startswith("label_")]
    features = [c for c in features if train[c].notna().any()]
    if not features:
        raise Failure("the export has no feature with a value in the training rows")
    categorical = [c for c in features if not pd.api.types.is_numeric_dtype(train[c])]
    tables = [rows[features].copy() for rows in parts]
    for c in categorical:
        levels = sorted(train[c].dropna().astype(str).unique())
        for t in tables:
            t[c] = pd.Categorical(t[c].where(t[c].isin(levels)), categories=levels)
    for t in tables:
        # The libraries have each their own idea of which names are allowed.
        t.columns = [f"f{i}" for i in range(len(features))]
    return tables, [f"f{features.index(c)}" for c in categorical]


def xgboost(tables, labels, categorical, options):
    import xgboost as library

    model = library.XGBClassifier(
        n_estimators=options.rounds, early_stopping_rounds=options.patience, learning_rate=options.learning_rate, eval_metric="logloss",
        enable_categorical=True, tree_method="hist", n_jobs=options.threads, random_state=options.seed,
    )
    model.fit(tables[0], labels[0], eval_set=[(tables[1], labels[1])], verbose=False)
    return model.predict_proba(tables[2])[:, 1]


def lightgbm(tables, labels, categorical, options):
    import lightgbm as library

    rate = {} if options.learning_rate is None else {"learning_rate": options.learning_rate}
    model = library.LGBMClassifier(
        n_estimators=options.rounds, n_jobs=options.threads, random_state=options.seed, deterministic=True, force_row_wise=True, verbose=-1, **rate,
    )
    stop = library.early_stopping(options.patience, verbose=False)
    model.fit(tables[0], labels[0], eval_X=(tables[1],), eval_y=(labels[1],), eval_metric="binary_logloss", callbacks=[stop])
    return model.predict_proba(tables[2])[:, 1]


def catboost(tables, labels, categorical, options):
    import catboost as library

    # CatBoost chooses its learning rate by the number of trees; its own default is 1000.
    rounds = {} if options.learning_rate is None else {"learning_rate": options.learning_rate, "iterations": options.rounds}
    model = library.CatBoostClassifier(
        early_stopping_rounds=options.patience, cat_features=categorical, thread_count=options.threads, random_seed=options.seed,
        allow_writing_files=False, verbose=False, **rounds,
    )
    tables = [t.assign(**{c: t[c].astype(object).where(t[c].notna(), "(missing)") for c in categorical}) for t in tables]
    model.fit(tables[0], labels[0], eval_set=(tables[1], labels[1]))
    return model.predict_proba(tables[2])[:, 1]


BOOSTERS = {"xgboost": xgboost, "lightgbm": lightgbm, "catboost": catboost}


# --- scores and the report


# One line for each system on the test rows of a fold, target and group ("": all groups together).
SCORES = ["task", "target", "group", "fold", "system", "rows", "auroc", "log_loss"]


def score(task, target, fold, test, results):
    groups = sorted(test["group"].unique(), key=natural)
    masks = {"": np.ones(len(test), bool)}
    if len(groups) > 1:
        masks |= {g: (test["group"] == g).to_numpy() for g in groups}
    scores = []
    for group, mask in masks.items():
        y = test["label"].to_numpy()[mask]
        for system, p in results.items():
            auroc, loss = measure(y, p[mask])
            scores.append((task, target, group, fold, system, int(mask.sum()), auroc, loss))
    return scores


def measure(y, p):
    """Returns AUROC (NaN when there is one class only) and log-loss in nats."""
    p = np.clip(np.asarray(p, float), 1e-7, 1 - 1e-7)
    auroc = roc_auc_score(y, p) if len(np.unique(y)) == 2 else float("nan")
    return auroc, log_loss(y, p, labels=[0, 1])


def natural(text):
    """A sort key that puts "after 5 events" before "after 10 events"."""
    digits = "".join(c if c.isdigit() else " " for c in text).split()
    return [int(d) for d in digits], text


class Report:
    """The scores as Markdown."""

    def __init__(self, scores, failures, options):
        self.scores, self.failures, self.options = scores, failures, options
        scores.to_csv(options.work / "scores.csv", index=False)

    def text(self):
        out = ["# moments beside gradient boosting", "", self.preamble(), ""]
        for (task, target), scores in self.scores.groupby(["task", "target"], sort=False):
            out += [f"## {task}: {target}", ""]
            for group in scores["group"].unique():
                out += self.section(scores[scores["group"] == group], group)
        if len(self.scores):
            out += self.summary()
        if self.failures:
            out += ["## Failed", ""] + [f"- {task}: {reason}" for task, reason in self.failures] + [""]
        return "\n".join(out)

    def preamble(self):
        from importlib.metadata import version

        libraries = ", ".join(f"{b} {version(b)}" for b in self.options.boosters)
        rate = "their default settings" if self.options.learning_rate is None else f"learning rate {self.options.learning_rate:g}, else their default settings"
        return (
            f"The same columns, rows and {self.options.folds} folds for all. {libraries} with {rate}, stopped after {self.options.patience} rounds without a better"
            f" validation log-loss, seed {self.options.seed}. A difference is {OURS} minus the other, with the standard error of its mean over the folds"
            " (the folds share training rows, so take it as a lower bound); AUROC: more is better, log-loss: less is better."
        )

    def section(self, scores, group):
        out = []
        for metric, title in (("auroc", "AUROC"), ("log_loss", "log-loss")):
            table = self.table(scores, metric)
            lines = [[f"fold {f + 1}"] + [figure(x) for x in row] for f, row in zip(table.index, table.to_numpy())]
            lines.append(["**mean**"] + [f"**{figure(x)}**" for x in table.mean()])
            lines.append([f"{OURS} minus it", ""] + [difference(table[OURS] - table[b]) for b in table.columns[1:]])
            out += [f"{title}{', ' + group if group else ''} ({int(scores.groupby('fold')['rows'].first().sum()):,} test rows)", ""]
            out += markdown([""] + list(table.columns), lines) + [""]
        return out

    def table(self, scores, metric):
        """Folds down, systems across, moments first."""
        return scores.pivot(index="fold", columns="system", values=metric)[[OURS] + self.options.boosters]

    def summary(self):
        out = ["## Mean over the sets", ""]
        for metric, title in (("auroc", "AUROC"), ("log_loss", "log-loss")):
            systems = [OURS] + self.options.boosters
            means = self.scores.groupby(["task", "target", "group", "system"], sort=False)[metric].mean().unstack("system")[systems]
            lines = [[name(key)] + [figure(x) for x in row] for key, row in zip(means.index, means.to_numpy())]
            # A set counts once, however many cutoffs it is also reported by.
            whole = means[means.index.get_level_values("group") == ""]
            lines.append([f"**mean of {len(whole)}**"] + [f"**{figure(x)}**" for x in whole.mean()])
            lines.append([f"{OURS} minus it", ""] + [difference(whole[OURS] - whole[b]) for b in self.options.boosters])
            lines.append([f"sets where {OURS} is better", ""] + [wins(whole[OURS], whole[b], metric) for b in self.options.boosters])
            out += [title, ""] + markdown([""] + systems, lines) + [""]
        return out


def name(key):
    task, target, group = key
    return f"{task}: {target}" + (f", {group}" if group else "")


def figure(x):
    return "-" if np.isnan(x) else f"{x:.4f}"


def difference(d):
    d = d.dropna()
    if len(d) == 0:
        return "-"
    if len(d) == 1:
        return f"{d.iloc[0]:+.4f}"
    return f"{d.mean():+.4f} ± {d.std(ddof=1) / np.sqrt(len(d)):.4f}"


def wins(ours, theirs, metric):
    better = ours > theirs if metric == "auroc" else ours < theirs
    return f"{int(better.sum())} of {int((ours.notna() & theirs.notna()).sum())}"


def markdown(head, lines):
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return ["| " + " | ".join(cells) + " |" for cells in [head, rule] + lines]


if __name__ == "__main__":
    sys.exit(main())
