#!/usr/bin/env bash
# Times training steps of moments and of PyTorch, and inference of moments and
# of ONNX Runtime, in turn: builds the benchmarks, makes a virtual environment of
# its own, runs speed.py. Arguments are passed on.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

make_environment speed-environment "$here/speed_requirements.txt"
make --silent --directory "$root" tools >&2
mkdir -p "$cache/runs"
for package in train infer/onnxruntime; do
  (cd "$root" && CGO_ENABLED=1 go test -c -o "$cache/runs/$(basename "$package").test" "./$package")
done

exec "$environment/bin/python" "$here/speed.py" --root "$root" --work "$cache/runs" "$@"
