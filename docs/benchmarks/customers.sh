#!/usr/bin/env bash
# Measures the store of customers' journeys in the process, without HTTP, and
# prints Markdown tables: what appending one event and scoring the journey takes
# by what an acknowledgement promises, and the bytes of 100,000 customers. The
# bundle is the demo's, or the one named.
#
#   bash docs/benchmarks/customers.sh [BUNDLE]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

bundle=${1:-}
if [[ -z $bundle ]]; then
  build_program
  bundle=$cache/customers/bundle
  [[ -d $bundle ]] || "$program" --quiet demo -o "$cache/customers" >/dev/null
fi
MOMENTS_BENCH_BUNDLE=$(cd "$bundle" && pwd)
export MOMENTS_BENCH_BUNDLE

# measure NAME TIME runs a benchmark and prints its lines without the machine's
# number of cores: name, runs, and pairs of value and unit.
measure() {
  (cd "$root" && go test ./infer/customers -run '^$' -bench "$1" -benchtime "$2") | sed -n 's/^Benchmark[A-Za-z]*\(\/[^ ]*\)\?-[0-9]*[[:space:]]/\1 /p'
}

value() { awk -v unit="$1" '{ for (i = 2; i < NF; i++) if ($(i + 1) == unit) print $i }' <<<"$2"; }

echo "| call | sync | events of the customer | p50 (µs) | p99 (µs) |"
echo "|---|---|---:|---:|---:|"
while read -r line; do
  name=${line%% *}
  call=${name#/} && call=${call%%/*}
  sync=${name#*sync=} && sync=${sync%%/*}
  printf '| %s | %s | %s | %s | %s |\n' "$call" "$sync" "${name#*events=}" "$(value p50-µs "$line")" "$(value p99-µs "$line")"
done < <(measure Append 5s)
echo
echo "| 100,000 customers of 20 events | |"
echo "|---|---:|"
line=$(measure HundredThousand 1x)
echo "| bytes of disk each, as they come | $(value disk-B/customer "$line") |"
echo "| bytes of disk each, once in order | $(value compacted-B/customer "$line") |"
echo "| bytes of memory each, followed | $(value memory-B/customer "$line") |"
echo "| milliseconds to open the store | $(value open-ms "$line") |"
echo "| customers stored a second, one by one | $(value customers/s "$line") |"
