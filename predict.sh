#!/bin/sh
# Segment images with the model that starpoly ships.
#
#   sh predict.sh                          /workspace/inputs -> /workspace/outputs; where there is no such
#                                          folder: the demo's images of nuclei and cells -> ./outputs
#   sh predict.sh INPUT OUTPUT [FLAGS...]  a file or folder -> label images; FLAGS go to `starpoly predict`
#
# Uses the installed starpoly; without one, makes an environment beside this file (.venv) once.
# Exit status 0: every image that can be read has its label image. A damaged one gets labels without objects
# where its size is known (`starpoly predict --tolerant`). Results are named as the NeurIPS 2022 challenge wants them, by the
# image's name up to its first dot (`--names challenge`). STARPOLY_MODEL names another model than the default.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

case ${1-} in
-h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"
    exit 0
    ;;
-*)
    echo "predict.sh: expected INPUT OUTPUT before the flags, got '$1'; try: sh predict.sh INPUT OUTPUT $*" >&2
    exit 2
    ;;
esac
if [ $# -eq 1 ]; then
    echo "predict.sh: expected INPUT OUTPUT, got only '$1'; try: sh predict.sh '$1' outputs" >&2
    exit 2
fi

if [ $# -eq 0 ] && [ -d /workspace/inputs ]; then
    set -- /workspace/inputs /workspace/outputs
fi

if command -v starpoly >/dev/null 2>&1; then
    starpoly=starpoly
else
    sh "$here/scripts/environment.sh" "$here/.venv"
    starpoly=$here/.venv/bin/starpoly
fi

# a container whose file system is read-only: memory has room for temporary files
if [ -z "${TMPDIR-}" ] && [ ! -w /tmp ] && [ -w /dev/shm ]; then
    export TMPDIR=/dev/shm
fi
# numba looks into a cache only where it could also write to it
if [ -d "${NUMBA_CACHE_DIR-}" ] && [ ! -w "$NUMBA_CACHE_DIR" ]; then
    kernels=$(mktemp -d) && cp -R "$NUMBA_CACHE_DIR/." "$kernels" && export NUMBA_CACHE_DIR="$kernels"
fi
if [ "${STARPOLY_DEVICE-}" = gpu ] && [ ! -e /dev/nvidiactl ] && [ ! -e /dev/dxg ]; then
    echo "predict.sh: no GPU in this container (docker run --gpus all ...): going on with the processor" >&2
fi

if [ $# -eq 0 ]; then
    exec "$starpoly" demo -o outputs
fi
input=$1
output=$2
shift 2
# flags come after, so that they have the last word
exec "$starpoly" predict "$input" -o "$output" --tolerant --names challenge ${STARPOLY_MODEL:+--model "$STARPOLY_MODEL"} "$@"
