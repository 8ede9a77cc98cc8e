# Sourced by the scripts of this folder: where things lie, and how what they need is made.
export PYTHONDONTWRITEBYTECODE=1

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${MOMENTS_BENCHMARKS:-${XDG_CACHE_HOME:-$HOME/.cache}/moments-benchmarks}

# find_data sets MOMENTS_DATA to the folder of the data sets, or ends the script.
find_data() {
  export MOMENTS_DATA=${MOMENTS_DATA:-$root/../shared/data}
  if [[ ! -d $MOMENTS_DATA ]]; then
    echo "$(basename "$0" .sh): no folder $MOMENTS_DATA, want the data sets; set MOMENTS_DATA" >&2
    exit 2
  fi
  MOMENTS_DATA=$(cd "$MOMENTS_DATA" && pwd)
}

# make_environment NAME REQUIREMENTS sets $environment to a virtual environment
# with these packages, made again when the requirements change.
make_environment() {
  environment=$cache/$1
  if ! cmp -s "$2" "$environment/requirements.txt"; then
    echo "$(basename "$0" .sh): making $environment" >&2
    rm -rf "$environment"
    "${PYTHON:-python3}" -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$2"
    cp "$2" "$environment/requirements.txt"
  fi
}

# build_program sets $program to MOMENTS, or to the program built anew.
build_program() {
  program=${MOMENTS:-}
  if [[ -z $program ]]; then
    make --silent --directory "$root" build >&2
    program=$root/bin/moments
  fi
}
