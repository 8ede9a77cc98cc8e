#!/usr/bin/env bash
# Times whole trainings of moments, CatBoost, TabM and RealMLP on one task, with
# what they reach on its test rows: builds the program, makes a virtual
# environment of its own, runs train_time.py. Arguments are passed on.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

find_data
make_environment speed-environment "$here/speed_requirements.txt"
build_program

exec "$environment/bin/python" "$here/train_time.py" --moments "$program" --work "$cache/runs/train_time" "$@"
