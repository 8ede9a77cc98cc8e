#!/usr/bin/env bash
# Loads moments serve, MLServer, and FastAPI with ONNX Runtime, all with the same
# network, and reloads and overloads the first: builds the program, makes a
# virtual environment of its own, fetches the load generators, runs serve.py.
# Arguments are passed on.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

fortio_version=v1.63.7

find_data
make_environment serve-environment "$here/serve_requirements.txt"
build_program
if ! command -v wrk >/dev/null; then
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    echo "serve: no wrk: install it (Debian: apt-get install wrk)" >&2
    exit 1
  fi
  echo "serve: installing wrk" >&2
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends wrk >/dev/null
fi
fortio=$cache/fortio-$fortio_version/fortio
if [[ ! -x $fortio ]]; then
  echo "serve: building fortio $fortio_version" >&2
  GOFLAGS='' GOBIN=$(dirname "$fortio") go install "fortio.org/fortio@$fortio_version"
fi

exec "$environment/bin/python" "$here/serve.py" --moments "$program" --fortio "$fortio" --work "$cache/runs/serve" "$@"
