#!/usr/bin/env bash
# Compares moments with gradient boosting: builds the program, makes a virtual
# environment of its own, runs compare_boosting.py. Arguments are passed on.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
export OMP_WAIT_POLICY=passive # idle threads of the boosters sleep: a busy machine slows them less

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${MOMENTS_BENCHMARKS:-${XDG_CACHE_HOME:-$HOME/.cache}/moments-benchmarks}
python=${PYTHON:-python3}

export MOMENTS_DATA=${MOMENTS_DATA:-$root/../shared/data}
if [[ ! -d $MOMENTS_DATA ]]; then
  echo "compare: no folder $MOMENTS_DATA, want the data sets; set MOMENTS_DATA" >&2
  exit 2
fi
MOMENTS_DATA=$(cd "$MOMENTS_DATA" && pwd)

# The environment is made again when the requirements change.
environment=$cache/environment
if ! cmp -s "$here/requirements.txt" "$environment/requirements.txt"; then
  echo "compare: making $environment" >&2
  rm -rf "$environment"
  "$python" -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$environment/requirements.txt"
fi

program=${MOMENTS:-}
if [[ -z $program ]]; then
  make --silent --directory "$root" build >&2
  program=$root/bin/moments
fi

exec "$environment/bin/python" "$here/compare_boosting.py" --moments "$program" --work "$cache/runs" "$@"
