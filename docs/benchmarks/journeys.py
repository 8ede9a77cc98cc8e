"""Measures networks that follow events, and the moments of truth they find.

Four parts: what each kind of network is worth alone and what the order of
events is worth; what pretraining is worth where labels are few; how well
impacts know what drives the score; and how well they find what was planted in
synthetic bases. Standard output is a report in Markdown, also written to
journeys.md; progress goes to standard error. Needs nothing but Python.

The exit code is 0 when everything was measured, 1 when a run failed, and 2 on
wrong usage.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

TASKS = pathlib.Path(__file__).resolve().parent.parent / "tasks"
PARTS = ["kinds", "labels", "check", "planted"]
KINDS = ["additive alone", "table alone", "events alone", "events and table alone", "order shuffled"]

# AUROC of gradient boosting or logistic regression on simple features of the
# same events, the better of the two, and what networks should reach.
BARS = {
    "bpic2012_loans: after 5 events": (0.667, 0.690),
    "bpic2012_loans: after 10 events": (0.700, 0.715),
    "bpic2012_loans: after 20 events": (0.748, 0.765),
    "mobile_game_kim2017: churn": (0.797, 0.803),
    "telecom_billing_suspension: suspended": (0.846, 0.855),
    "bpic2020_travel: rejected": (0.720, 0.730),
}


class Failure(Exception):
    pass


def main(arguments=None):
    options = parse(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    made = {"kinds": kinds, "labels": labels, "check": check, "planted": planted}
    text, failed = "# Following events\n", False
    for part in options.parts:
        try:
            text += made[part](options)
        except Failure as err:
            failed = True
            text += f"\n**{part} failed:** {err}\n"
        (options.work / "journeys.md").write_text(text)
    print(text, end="")
    return 1 if failed else 0


def parse(arguments):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--moments", default="moments", help="the program")
    p.add_argument("--work", type=pathlib.Path, default=pathlib.Path("runs"), help="folder for bundles and journeys.md")
    p.add_argument("--parts", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    p.add_argument("--sets", default="bpic2012_loans,mobile_game_kim2017,telecom_billing_suspension,bpic2020_travel",
                   help="names of task files in docs/tasks: of kinds and labels")
    p.add_argument("--checked", default="bpic2012_loans,mobile_game_kim2017", help="those of check")
    p.add_argument("--journeys", type=int, default=300, help="journeys that are checked")
    p.add_argument("--share", type=float, default=0.05, help="of the customers whose labels are seen in labels")
    p.add_argument("--seeds", type=int, default=5, help="synthetic bases")
    p.add_argument("--customers", type=int, default=20000, help="of each of them")
    options = p.parse_args(arguments, argparse.Namespace(trained={}))
    for name in ["parts", "sets", "checked"]:
        setattr(options, name, [x for x in getattr(options, name).split(",") if x])
    for part in options.parts:
        if part not in PARTS:
            p.error(f"--parts: got {part!r}, want some of {', '.join(PARTS)}")
    for name in options.sets + options.checked:
        if not (TASKS / f"{name}.yaml").is_file():
            p.error(f"no task file {TASKS / name}.yaml")
    return options


def run(options, *command):
    """The JSON that a command of the program prints."""
    print("moments " + " ".join(map(str, command)), file=sys.stderr, flush=True)
    done = subprocess.run([options.moments, "--quiet", *map(str, command)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"moments {' '.join(map(str, command))}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def trained(options, name, more=""):
    """Trains a set, once, with something appended to its task file; the figures and the bundle's folder."""
    key = name + "".join(c if c.isalnum() or c in "._" else "-" for c in more)
    task, bundle = options.work / f"{key}.yaml", options.work / key
    if key not in options.trained:
        task.write_text((TASKS / f"{name}.yaml").read_text() + "\n" + more)
        options.trained[key] = run(options, "train", task, "-o", bundle, "--json")
    return options.trained[key], bundle


def rows_of(figures):
    """Name and report of each target and each of its cutoffs."""
    for target, report in figures["targets"].items():
        yield target, report
        cuts = report.get("by_cutoff") or {}
        for cut in sorted(cuts, key=lambda c: (len(c), c)):
            yield cut, cuts[cut]


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1), *("| " + " | ".join(r) + " |" for r in rows)]) + "\n"


def auroc(spread):
    return "" if spread is None or spread["mean"] is None else f"{spread['mean']:.4f}"


def kinds(options):
    rows = []
    for name in options.sets:
        figures, _ = trained(options, name, "anomaly: {off: true}\n")
        for what, report in rows_of(figures):
            others = report.get("auroc_of") or {}
            bar = BARS.get(f"{name}: {what}")
            rows.append([f"{name}: {what}", str(report["rows"]), *(f"{b:.3f}" for b in bar or ()), *[""] * (0 if bar else 2), auroc(report["auroc"]), *(auroc(others.get(k)) for k in KINDS)])
    return (
        "\n## What each kind of network is worth\n\nAUROC on the test split, trained once with the defaults. The floor is gradient boosting or logistic regression on simple features of the same events; the blend is what ships; the next four columns are its "
        "networks of one kind alone; the last is the blend on journeys whose events were dealt out anew over their times: what it loses, the order told it.\n\n"
        + table(["set", "test rows", "floor", "bar", "blend", "additive", "table", "events", "events and table", "blend, order shuffled"], rows)
    )


def labels(options):
    rows = []
    for name in options.sets:
        both = [trained(options, name, f"networks: {{label_share: {options.share}, pretrain: {p}}}\nanomaly: {{off: true}}\n")[0] for p in ["false", "true"]]
        for (what, without), (_, with_) in zip(rows_of(both[0]), rows_of(both[1])):
            alone = [auroc((r.get("auroc_of") or {}).get("events alone")) for r in (without, with_)]
            rows.append([f"{name}: {what}", auroc(without["auroc"]), auroc(with_["auroc"]), *alone, f"{without['log_loss']['mean']:.4f}", f"{with_['log_loss']['mean']:.4f}"])
    return (
        f"\n## Few labels\n\nThe same with the labels of {options.share:.0%} of the customers that are trained and validated on, without and with pretraining on the journeys of all.\n\n"
        + table(["set", "blend", "pretrained", "events alone", "pretrained", "log-loss of the blend", "pretrained"], rows)
    )


def check(options):
    text = (
        "\n## Do impacts know what drives the score?\n\nThe mean score as events are taken away (deletion: the lower the better) or put back (insertion: the higher the better), from those "
        "said to raise it most to those said to lower it most, and by how many points impacts are better, with the standard error.\n"
    )
    for name in options.checked:
        bundle = trained(options, name, "anomaly: {off: true}\n")[1]
        figures = run(options, "explain", bundle, "--check", options.journeys, "--json")
        rows = []
        for order in figures["orders"]:
            if order["deletion"] is None:
                continue
            gains = [f"{100 * order[k]:+.2f} ± {100 * order[k + '_se']:.2f}" for k in ("deletion_gain", "insertion_gain")]
            rows.append([order["order"], f"{order['deletion']:.4f}", gains[0], f"{order['insertion']:.4f}", gains[1]])
        text += f"\n{name}, {figures['target']}, {figures['journeys']} journeys:\n\n" + table(["order", "deletion", "impacts better by", "insertion", "impacts better by"], rows)
    return text


def planted(options):
    names = {"precision_at_1": "a planted cause comes first", "planted_at_1": "one of any size comes first", "largest": "the largest comes first", "close_to_largest": "one close to the largest comes first", "effect_over_largest": "effect of the first over the largest", "sign_accuracy": "signs right", "kendall_tau": "Kendall's tau", "somers_d": "Somers' D", "correlation": "correlation"}
    found = {}
    for seed in range(1, options.seeds + 1):
        figures = run(options, "demo", "--full", "--customers", options.customers, "--seed", seed, "--json", "-o", options.work / f"planted-{seed}")
        for cause in figures["causes"]:
            for name in names:
                found.setdefault((cause["target"], name), []).append(cause[name])
        for target in figures["targets"]:
            for name in ("auroc", "auroc_of_truth"):
                found.setdefault((target["name"], name), []).append(target[name])
    names |= {"auroc": "AUROC", "auroc_of_truth": "AUROC of the truth"}
    rows = [[f"{target}: {names[name]}", *(f"{v:.3f}" for v in values), f"{statistics.mean(values):.3f}"] for (target, name), values in found.items()]
    return (
        f"\n## Planted moments\n\nBases of {options.customers:,} customers, judged on 1,000 others. A planted cause is an event whose true effect is over 5 points; it comes first when the event of the "
        "largest impact is one, with its sign. Close is an effect of nine tenths of the largest or within a point of it. Kendall's tau compares touchpoints by the mean size of their effects, and cannot reach 1: about half of them have none, and no truth orders those. Somers' D is the same in the pairs that the planted effects tell apart.\n\n"
        + table(["", *(f"seed {s}" for s in range(1, options.seeds + 1)), "mean"], rows)
    )


if __name__ == "__main__":
    sys.exit(main())
