#!/usr/bin/env bash
# Scores synthetic customer bases of growing size with one bundle and prints, as
# a Markdown table, events a second and peak memory: of reading, encoding and
# scoring. Reasons, which cost a pass for each group of features, are measured on
# the first size.
#
#   bash docs/benchmarks/score.sh [CUSTOMERS...]      default: 30000 90000 180000
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
sizes=("$@")
[ ${#sizes[@]} -gt 0 ] || sizes=(30000 90000 180000)

program=${MOMENTS:-}
if [ -z "$program" ]; then
	make --silent --directory "$root" build >&2
	program=$root/bin/moments
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$program" --quiet demo -o "$work/base" >/dev/null

# peak runs a command and prints its seconds and its peak memory in MiB.
peak() {
	python3 - "$@" <<'PYTHON'
import resource, subprocess, sys, time
began = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(f"{time.monotonic() - began:.2f} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f}")
PYTHON
}

echo "| customers | events | reasons | seconds | events a second | customers a second | peak memory (MiB) |"
echo "|---:|---:|---:|---:|---:|---:|---:|"
for size in "${sizes[@]}"; do
	"$program" --quiet demo --data-only --customers "$size" -o "$work/$size"
	events=$(($(wc -l <"$work/$size/events.csv") - 1))
	for reasons in 0 3; do
		[ "$reasons" = 0 ] || [ "$size" = "${sizes[0]}" ] || continue
		read -r seconds memory < <(peak "$program" --quiet score "$work/base/bundle" --task "$work/$size/task.yaml" --reasons "$reasons" -o "$work/scores.parquet")
		awk -v c="$size" -v e="$events" -v r="$reasons" -v s="$seconds" -v m="$memory" \
			'BEGIN { printf "| %d | %d | %d | %.1f | %.0f | %.0f | %d |\n", c, e, r, s, e / s, c / s, m }'
	done
	rm -rf "${work:?}/$size"
done
