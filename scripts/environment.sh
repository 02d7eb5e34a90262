#!/bin/sh
# Make (once) a virtual environment with this checkout installed in it.
#
#   sh scripts/environment.sh FOLDER [EXTRA]
#
# Does nothing when FOLDER was completed before and the dependencies have not changed since.
# PYTHON=/path/to/python names the interpreter to use; without it the first suitable one is taken.
set -eu

environment=$1
extra=${2:+[$2]}
checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

# written last, so an interrupted installation is begun again
stamp=$environment/.complete
wanted=$(cd "$checkout" && cat setup.cfg setup.py | cksum)
if [ -x "$environment/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null || :)" = "$wanted $extra" ]; then
    exit 0
fi

suitable() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

chosen=
for python in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
    if suitable "$python"; then
        chosen=$python
        break
    fi
done
if [ -z "$chosen" ]; then
    echo "starpoly: expected Python 3.11 to 3.13 with its venv module, found none; install one (for example" \
        "'apt install python3 python3-venv') or name it: PYTHON=/path/to/python sh ..." >&2
    exit 1
fi

echo "starpoly: setting up $environment with $("$chosen" --version) (once; downloads TensorFlow)" >&2
rm -f "$stamp"
"$chosen" -m venv "$environment"
"$environment/bin/python" -m pip install -q --disable-pip-version-check --editable "$checkout$extra" >&2
echo "$wanted $extra" >"$stamp"
