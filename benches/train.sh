#!/usr/bin/env bash
# Runs what people run: cold and warm reports, status lines, gates, a busy screen, telemetry and proxied calls.
#
#   bash benches/train.sh PROGRAM              with a program that was built to write a profile, see optimized.sh
#   bash benches/train.sh PROGRAM --briefly    does it still work?
set -euo pipefail
program=$(realpath "$1")
size=40M times=100 calls=60 screens=3 records=--bench
[ "${2-}" != --briefly ] || size=1M times=2 calls=3 screens=1 records=
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo run --quiet --locked --example corpus -- --all-agents "$size" "$work" >/dev/null
home=$work/home
mkdir -p "$home/.config/tokmeter"
cat >"$home/.config/tokmeter/config.toml" <<'TOML'
[limits]
day = { tokens = 900_000_000_000 }
month = { usd = 900_000_000 }
TOML
said=$work/said
run() {
  env -i HOME="$home" USER=kim TZ=UTC LANG=C.UTF-8 PATH=/usr/bin:/bin COLUMNS=120 ${LLVM_PROFILE_FILE:+LLVM_PROFILE_FILE="$LLVM_PROFILE_FILE"} \
    "$program" "$@" </dev/null >/dev/null 2>"$said" || {
    cat "$said" >&2
    return 1
  }
}

run report day --no-ledger
run report day
# Often enough to weigh something beside the logs.
for _ in $(seq "$times"); do
  run statusline
  run gate --json
  run report day --json
  run --version
done

# A proxy that ends in order. The one that `bench proxy` starts is killed, and writes nothing.
# Its upstream listens below the ports of outgoing connections.
service=127.0.0.1:$((20000 + RANDOM % 10000))
said=$work/proxy run proxy --listen 127.0.0.1:0 --upstream "http://$service" &
proxy=$!
until address=$(sed -n 's|.*forwarding on http://||p' "$work/proxy" 2>/dev/null) && [ -n "$address" ]; do
  kill -0 "$proxy"
  sleep 0.1
done
run bench proxy --calls "$calls" --service "$service" --compare "trained=$address"
kill -TERM "$(pgrep -P "$proxy" || echo "$proxy")"
wait "$proxy"

# The benches, with this program instead of their own.
bench() {
  local built
  built=$(cargo test --quiet --locked --no-run --bench "$1" --message-format=json |
    sed -n "s/.*\"name\":\"$1\".*\"executable\":\"\([^\"]*\)\".*/\1/p")
  CARGO_BIN_EXE_tokmeter=$program "$built" "${@:2}" >/dev/null
}
# shellcheck disable=SC2086 # Without a word there is no argument.
bench otlp $records
for _ in $(seq "$screens"); do bench screen; done
