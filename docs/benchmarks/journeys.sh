#!/usr/bin/env bash
# Measures networks that follow events and the moments of truth they find:
# builds the program and runs journeys.py. Arguments are passed on.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

find_data
build_program

exec "${PYTHON:-python3}" "$here/journeys.py" --moments "$program" --work "$cache/runs/journeys" "$@"
