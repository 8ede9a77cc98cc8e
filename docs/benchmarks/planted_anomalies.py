"""Sum up what `moments demo --json` found of planted anomalies, over seeds."""

import collections
import json
import sys


def summarise(reports):
    """Return the rows of both tables: by kind, and by alert rate."""
    kinds = collections.defaultdict(collections.Counter)
    rates = collections.defaultdict(lambda: [0.0, 0.0])
    inside, expected = collections.Counter(), collections.Counter()
    for report in reports:
        strict = report["anomalies_at_1_percent"]
        for kind in strict["kinds"]:
            kinds[kind["kind"]].update({k: v for k, v in kind.items() if k != "kind"})
        normal = report["customers"] - sum(k["planted"] for k in strict["kinds"])
        for rate in strict["rates"]:
            total = rates[rate["asked"]]
            total[0] += rate["seen"] * normal
            total[1] += normal
            inside[rate["asked"]] += rate["low"] - 1e-9 <= rate["seen"] <= rate["high"] + 1e-9
            expected[rate["asked"]] += rate["conformal_low"] - 1e-9 <= rate["seen"] <= rate["conformal_high"] + 1e-9
    by_kind = [(k, c["planted"], c["flagged"] / max(c["planted"], 1), c["direction_right"] / max(c["flagged"], 1),
                c["cause_right"] / max(c["flagged"], 1)) for k, c in kinds.items()]
    by_rate = [(asked, flagged / n, inside[asked], expected[asked]) for asked, (flagged, n) in rates.items()]
    return by_kind, by_rate


def main(paths):
    """Print the tables."""
    by_kind, by_rate = summarise([json.load(open(path, encoding="utf-8")) for path in paths])
    print("| planted | journeys | recall at 1 % | direction right | cause in the first two |\n|---|---:|---:|---:|---:|")
    for kind, planted, *shares in by_kind:
        print(f"| {kind} | {planted} | " + " | ".join(f"{x:.3f}" for x in shares) + " |")
    print("\n| asked to flag of normal journeys | flagged, all seeds | seeds within the binomial 95 % interval | with the chance of calibration |\n|---:|---:|---:|---:|")
    for asked, seen, within, expected in by_rate:
        print(f"| {100 * asked:g} % | {100 * seen:.2f} % | {within} of {len(paths)} | {expected} of {len(paths)} |")


if __name__ == "__main__":
    main(sys.argv[1:])
