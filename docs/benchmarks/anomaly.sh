#!/usr/bin/env bash
# Measures the anomaly networks on the tables of ADBench, beside the distance to
# the 5th neighbour and principal components on the same rows: builds the
# program, makes a virtual environment of its own, runs anomaly.py. Arguments are
# passed on.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

find_data
make_environment environment "$here/requirements.txt"
build_program

exec "$environment/bin/python" "$here/anomaly.py" --moments "$program" --data "$MOMENTS_DATA/adbench_classical" --work "$cache/anomaly" "$@"
