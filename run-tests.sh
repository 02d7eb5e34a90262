#!/bin/sh
# Set up .venv-test (once) and run every check; arguments go to pytest: sh run-tests.sh tests/geometry -k area
set -u

cd -- "$(dirname -- "$0")" || exit 1
environment=$PWD/.venv-test
sh scripts/environment.sh "$environment" dev || exit 1
PATH=$environment/bin:$PATH
export PATH
export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-2}"

failed=
check() {
    echo "== $*"
    "$@" || failed="$failed $1"
}

check ruff check .
check ruff format --check .
check lint-imports
check mypy
# last, so that its summary is the last thing read; each worker takes tests that lie together, so that they share what is
# made for them, and the first to be done takes from the others; three for two cores, since some wait for the disk
check pytest -n "${STARPOLY_TEST_WORKERS:-3}" --dist worksteal "$@"

if [ -n "$failed" ]; then
    echo "failed:$failed"
    exit 1
fi
