#!/usr/bin/env bash
# Plants faults into test journeys of two process logs and prints, as Markdown,
# how well each set of detectors finds them, and what scoring a journey costs.
#
#   bash docs/benchmarks/journey_anomaly.sh [SEEDS]      default: 3; some ten minutes on two cores
#
# Every seed has its own split, starting weights and faults. Networks are
# trained, and thresholds chosen, on journeys without planted faults that are no
# test journeys. The data sets are read from the folder MOMENTS_DATA.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export MOMENTS_DATA=${MOMENTS_DATA:-$root/../shared/data}
MOMENTS_DATA=$(cd "$MOMENTS_DATA" && pwd)
export MOMENTS_SEEDS=${1:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MOMENTS_FAULTS=$work/faults.md

cd "$root"
go test ./train -run '^TestPlantedFaults$' -count 1 -timeout 3h >&2
echo "# Faults planted into journeys"
cat "$MOMENTS_FAULTS"
echo
echo "## Cost"
echo
go test ./infer -run '^$' -bench '^BenchmarkJourneyAnomaly$' -cpu 1 |
	awk '/^BenchmarkJourneyAnomaly/ { for (i = 1; i < NF; i++) if ($(i + 1) == "µs/journey") printf "%s µs for a journey of 20 events on one core: network and chain, encoding aside.\n", $i }'
