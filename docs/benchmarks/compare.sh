#!/usr/bin/env bash
# Compares moments with gradient boosting: builds the program, makes a virtual
# environment of its own, runs compare_boosting.py. Arguments are passed on.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
export OMP_WAIT_POLICY=passive # idle threads of the boosters sleep: a busy machine slows them less

find_data
make_environment environment "$here/requirements.txt"
build_program

exec "$environment/bin/python" "$here/compare_boosting.py" --moments "$program" --work "$cache/runs" "$@"
