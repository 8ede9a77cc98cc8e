#!/usr/bin/env bash
# Anomalies found against anomalies planted, over seeds: recall at 1 % alerts,
# the right direction and the right cause among the first two, and what alert
# rates of 0.1, 1 and 5 % flag of fresh normal journeys.
#
#   bash docs/benchmarks/planted_anomalies.sh            # 5 seeds of 4,000 customers, trained on normal ones
#   SEEDS=3 CUSTOMERS=10000 bash docs/benchmarks/planted_anomalies.sh
#   TRAINED= ANOMALIES=0.02 bash docs/benchmarks/planted_anomalies.sh   # trained on a base with anomalies, unlabelled
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${SEEDS:-5} customers=${CUSTOMERS:-4000} anomalies=${ANOMALIES:-0.1} trained=${TRAINED---clean}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
go build -o "$folder/moments" ./cmd/moments
for seed in $(seq "$seeds"); do
	# shellcheck disable=SC2086 # no flag where it is empty
	"$folder/moments" -q demo -o "$folder/demo" --seed "$seed" --customers "$customers" --anomalies "$anomalies" $trained --unlabeled --json >"$folder/$seed.json"
done
python3 docs/benchmarks/planted_anomalies.py "$folder"/*.json
