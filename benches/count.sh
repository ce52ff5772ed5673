#!/usr/bin/env bash
# Counts the instructions of the hot paths, whole process, without the clock: the same on a busy machine.
#
#   bash benches/count.sh            compares with benches/instructions.txt; fails above +5 %
#   bash benches/count.sh --bless    rewrites benches/instructions.txt
#
# Counts belong to one compiler and one kind of processor: bless before a change, then compare after it.
set -euo pipefail
cd "$(dirname "$0")/.."

kept=benches/instructions.txt
allowed=5
bless=no
case "${1-}" in
  '') ;;
  --bless) bless=yes ;;
  *) echo "use: count.sh [--bless]" >&2; exit 64 ;;
esac
if ! command -v valgrind >/dev/null 2>&1; then
  echo "count.sh: valgrind is not installed, so nothing was counted"
  exit 0
fi

cargo build --quiet --profile dist --locked
program=${CARGO_TARGET_DIR:-target}/dist/tokmeter
program=$(cd "$(dirname "$program")" && pwd)/tokmeter
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo run --quiet --locked --example corpus -- 10M "$work"
home=$work/home
mkdir -p "$home/.config/tokmeter"
cat >"$home/.config/tokmeter/config.toml" <<'TOML'
[limits]
day = { tokens = 900_000_000_000 }
month = { usd = 900_000_000 }
TOML

# count NAME ARGUMENTS…: one run in this home, with an empty environment. One thread does all the work:
# how two threads share it differs from run to run.
count() {
  local name=$1 log=$work/valgrind.txt status=0
  shift
  env -i HOME="$home" USER=kim TZ=UTC LANG=C.UTF-8 PATH=/usr/bin:/bin COLUMNS=120 \
    taskset -c 0 valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$log" \
    "$program" "$@" </dev/null >"$work/out.txt" 2>"$work/err.txt" || status=$?
  if [ "$status" -ne 0 ]; then
    echo "count.sh: $name ended with $status" >&2
    cat "$work/err.txt" >&2
    exit 1
  fi
  printf '%s %s\n' "$name" "$(awk '/Collected/ { print $NF }' "$log")" >>"$work/counted.txt"
}

count cold-without-ledger report day --json --no-ledger
# A fast wrong answer is worth nothing.
for measure in calls total_tokens; do
  pattern="\"$measure\":[0-9]*"
  for file in "$work/out.txt" "$work/truth.json"; do
    tr -d ' \n' <"$file" | sed 's/.*"total":{//' | grep -o "$pattern" | head -n 1
  done | uniq | { [ "$(wc -l)" -eq 1 ] || { echo "count.sh: $measure differ from the truth" >&2; exit 1; }; }
done
count cold-with-new-ledger report day --json
count warm-report report day --json
count warm-statusline statusline
count warm-gate gate

if [ "$bless" = yes ]; then
  {
    echo "# Instructions of whole processes on a corpus of 10 MB, counted by benches/count.sh with callgrind."
    echo "# $(rustc --version), $(uname -sm)"
    cat "$work/counted.txt"
  } >"$kept"
  cat "$kept"
  exit 0
fi

failed=no
printf '%-22s %16s %16s %8s\n' "" kept now change
while read -r name now; do
  before=$(awk -v name="$name" '$1 == name { print $2 }' "$kept" 2>/dev/null || true)
  if [ -z "$before" ]; then
    printf '%-22s %16s %16s %8s\n' "$name" - "$now" new
    continue
  fi
  change=$(awk -v before="$before" -v now="$now" 'BEGIN { printf "%+.1f%%", (now - before) * 100 / before }')
  printf '%-22s %16s %16s %8s\n' "$name" "$before" "$now" "$change"
  if awk -v before="$before" -v now="$now" -v allowed="$allowed" 'BEGIN { exit !(now * 100 > before * (100 + allowed)) }'; then
    failed=yes
  fi
done <"$work/counted.txt"
if [ "$failed" = yes ]; then
  echo "count.sh: more than $allowed % above $kept; make it cheaper, or say why and run count.sh --bless" >&2
  exit 1
fi
