#!/bin/sh
# Fill the caches of the image: kernels compiled, bytecode written, whatever else is computed once.
set -eu

folder=$(mktemp -d)
starpoly demo -o "$folder/demo"
# with the image's own model, as networks that need no Keras: in both kinds of numbers, since a GPU or another processor may choose
# otherwise; and the way of large images: piece by piece
for precision in float32 bfloat16; do
    sh "$(dirname -- "$0")/../predict.sh" "$folder/demo/images" "$folder/$precision" --precision "$precision"
done
sh "$(dirname -- "$0")/../predict.sh" "$folder/demo/images/fluorescence_nuclei.png" "$folder/pieces" --roi 0,0,250,250
rm -r "$folder"

# another user finds them, and may add to them on a processor that they do not fit
for cache in "$NUMBA_CACHE_DIR" "$KERAS_HOME" "$MPLCONFIGDIR"; do
    mkdir -p "$cache"
    chmod -R a+rwX "$cache"
done
# a graph that others may write is not used: theirs lie beside it
mkdir -p "$STARPOLY_CACHE"
chmod -R a+rX "$STARPOLY_CACHE"
find "$STARPOLY_CACHE" -type d -exec chmod 1777 {} +
