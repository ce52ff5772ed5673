# Shortcuts for plain cargo commands; only cargo is needed.

# Runs the checks of CI.
check:
    bash .ci/run

# Accept changed snapshots after looking at them.
bless:
    INSTA_UPDATE=always cargo test --test screens --test config

# The benches, as ratios in one run (see benches/README.md).
bench:
    cargo bench

# The built-in price book from the newest public lists; needs pip and the network.
prices *PACKAGES:
    python3 prices/refresh.py {{PACKAGES}}

# The live screen on the samples.
demo:
    cargo run --release -- samples/

# The pictures of the README, drawn by the program itself.
pictures:
    TOKMETER_BLESS=1 cargo test --test pictures

# The binary that is shipped; needs the toolchain's component llvm-tools, and takes three builds.
release:
    bash benches/optimized.sh
