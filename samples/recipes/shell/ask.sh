#!/bin/sh
# Asks a model from a script: tokmeter says whether it may, and books what it cost.
#
#   ask.sh COMMAND…      COMMAND prints an API's JSON response (a curl call, say)
#
# The response goes to standard output; exit code 2 says that a limit is reached.
set -eu

session="${TOKMETER_SESSION:-shell-$PPID}"

# Exit code 2 is the only no: a meter that is broken or missing does not stop the work.
code=0
tokmeter gate --session "$session" || code=$?
if [ "$code" -eq 2 ]; then
  exit 2
fi

response=$("$@")
printf '%s\n' "$response"
printf '%s\n' "$response" | tokmeter record >/dev/null || echo "ask.sh: the call was not booked" >&2
