#!/bin/sh
# Run a command as the user to whom /workspace/outputs belongs, without any privilege.
#
# Folders of the host come with the user ids of the host; nobody but their owner may write there. Where everybody may,
# an unknown user will do. `docker run --user` goes before all of this.
set -eu

outputs=/workspace/outputs
anybody=10001:10001

if [ "$(id -u)" -ne 0 ]; then
    exec "$@"
fi
case $(stat -c %A "$outputs" 2>/dev/null || :) in
????????w?) user=$anybody ;;
"") user=$anybody ;;
*) user=$(stat -c %u:%g "$outputs") ;;
esac
drop="setpriv --reuid ${user%:*} --regid ${user#*:} --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs"
# a runtime that withholds the right to change users has dropped privileges itself
# shellcheck disable=SC2086 # options without spaces
if $drop true 2>/dev/null; then
    exec $drop "$@"
fi
exec "$@"
