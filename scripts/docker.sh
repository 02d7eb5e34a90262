#!/bin/sh
# Build, run and save the container.
#
#   sh scripts/docker.sh build [FLAGS...]        the image; FLAGS such as --build-arg DEVICE=cpu
#   sh scripts/docker.sh run INPUT OUTPUT        the challenge's own command on two folders
#   sh scripts/docker.sh save [FILE.tar.gz]      the file to hand in (default: NAME.tar.gz)
#
# NAME (default: starpoly) is the team's and the image's name; the tag is `latest`. DOCKER names the program (docker, podman),
# GPUS the device ("device=0"; empty: none), MEMORY the limit (28G).
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
docker=${DOCKER:-docker}
name=${NAME:-starpoly}

usage() {
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"
}

absolute() {
    (CDPATH='' cd -- "$1" && pwd)
}

action=${1-}
[ $# -eq 0 ] || shift
case $action in
build)
    exec "$docker" build -t "$name:latest" "$@" "$here"
    ;;
run)
    if [ $# -ne 2 ]; then
        echo "docker.sh: expected INPUT OUTPUT after run, got $# arguments" >&2
        exit 2
    fi
    mkdir -p "$2"
    inputs=$(absolute "$1")
    outputs=$(absolute "$2")
    gpus=${GPUS-device=0}
    exec "$docker" container run ${gpus:+--gpus "$gpus"} -m "${MEMORY:-28G}" --name "$name" --rm \
        -v "$inputs/:/workspace/inputs/" -v "$outputs/:/workspace/outputs/" "$name:latest" /bin/bash -c "sh predict.sh"
    ;;
save)
    file=${1:-$name.tar.gz}
    # not a pipe: a failure of docker must not be lost
    "$docker" save -o "$file.tar" "$name:latest"
    gzip -c "$file.tar" >"$file.tmp"
    rm "$file.tar"
    mv "$file.tmp" "$file"
    ;;
-h | --help)
    usage
    ;;
*)
    echo "docker.sh: expected build, run or save, got '$action'" >&2
    usage >&2
    exit 2
    ;;
esac
