#!/usr/bin/env bash
# Builds the program that is shipped, with profile-guided optimisation: code that runs often in train.sh becomes faster, and
# code that hardly ever runs smaller.
#
#   bash benches/optimized.sh        leaves the program in target/HOST/dist/tokmeter, where HOST is rustc's name of this machine
#
# It needs the component llvm-tools of the toolchain (`rustup component add llvm-tools`).
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_INCREMENTAL=0

host=$(rustc -vV | sed -n 's/^host: //p')
merge=$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata
if [ ! -x "$merge" ]; then
  echo "optimized.sh: llvm-profdata is missing; install it with: rustup component add llvm-tools" >&2
  exit 69
fi
target=$PWD/target/profile
raw=$target/raw
rm -rf "$raw"

# The same profile and target as below: names of functions depend on both. With a target named, build scripts are not counted.
RUSTFLAGS="-Cprofile-generate=$raw" cargo build --locked --profile dist --target "$host" --target-dir "$target"
bash benches/train.sh "$target/$host/dist/tokmeter"
"$merge" merge -o "$target/merged.profdata" "$raw"
RUSTFLAGS="-Cprofile-use=$target/merged.profdata" cargo build --locked --profile dist --target "$host"
ls -l "target/$host/dist/tokmeter"
