//! Every fuzz target on seeded bytes: samples, samples cut and bent, and plain noise.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::sample::Index;

mod fuzz_targets;

/// Inputs similar to what the targets are given: sample logs, configs, keys, times.
fn seeds() -> &'static [Vec<u8>] {
    static SEEDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut seeds: Vec<Vec<u8>> = vec![Vec::new()];
        for folder in ["samples", "tests/configs"] {
            collect(&root.join(folder), &mut seeds);
        }
        let words: &[&str] = &[
            "ctrl-shift-f12",
            "quit q ctrl-c",
            "pause space alt-x",
            "2026-11-22T13:02:10.5+05:30",
            "1795291200123",
            "-99999999999999999999",
            "0000-00-00T24:60:60Z",
            "90m",
            "\u{202e}\u{200b}e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}😀\u{1b}]0;x\u{7}",
            r#"{"query":"gate","user":"kim","session":7}"#,
            r#"{"query":"summary","session":"latest"}"#,
            r#"{"gpt-x":{"input_cost_per_token":0.0000025,"output_cost_per_token":1e-5,"mode":"chat","litellm_provider":"openai"}}"#,
            "#tokmeter-prices 1\t2026-11-30\t0000000000000000\nx\t2026-01-01 i=1 o=2\n",
        ];
        seeds.extend(words.iter().map(|word| word.as_bytes().to_vec()));
        assert!(seeds.len() > 60, "the samples were not found");
        seeds
    })
}

fn collect(folder: &Path, into: &mut Vec<Vec<u8>>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, into);
        } else {
            let mut bytes = fs::read(path).unwrap();
            bytes.truncate(8_000);
            into.push(bytes);
        }
    }
}

/// A change to some bytes.
#[derive(Clone, Debug)]
enum Bend {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, u8),
    Cut(Index),
    Repeat(Index, u8),
}

impl Bend {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let end = |from: usize, length: u8, bytes: &[u8]| (from + usize::from(length)).min(bytes.len());
        match self {
            Self::Flip(at, with) => {
                let at = at.index(bytes.len());
                bytes[at] ^= with;
            }
            Self::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Remove(at, length) => {
                let at = at.index(bytes.len());
                bytes.drain(at..end(at, *length, bytes));
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Repeat(at, length) => {
                let at = at.index(bytes.len());
                let part = bytes[at..end(at, *length, bytes)].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
}

fn bend() -> impl Strategy<Value = Bend> {
    let pieces: Vec<&[u8]> = vec![
        b"\0\0",
        b"\n",
        b"\r\n",
        b"{",
        b"}",
        b"\"",
        b"\\",
        b"\\ud800",
        b"-1",
        b"1e99",
        b"null",
        b"[",
        b"\x1b[2J",
        b"\xff\xfe",
        b"18446744073709551616",
        b"\"usage\":",
        "\u{202e}".as_bytes(),
    ];
    prop_oneof![
        (any::<Index>(), 1_u8..).prop_map(|(at, with)| Bend::Flip(at, with)),
        (any::<Index>(), prop::sample::select(pieces)).prop_map(|(at, more)| Bend::Insert(at, more.to_vec())),
        (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Bend::Remove(at, length)),
        any::<Index>().prop_map(Bend::Cut),
        (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Bend::Repeat(at, length)),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let bent = (any::<Index>(), prop::collection::vec(bend(), 0..5)).prop_map(|(seed, bends)| {
        let mut bytes = seed.get(seeds()).clone();
        for bend in &bends {
            bend.apply(&mut bytes);
        }
        bytes
    });
    // The first bytes of some targets are sizes and choices.
    let led = (prop::collection::vec(any::<u8>(), 0..16), bent).prop_map(|(lead, bent)| [lead, bent].concat());
    prop_oneof![8 => led, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

#[test]
fn every_seed_keeps_every_promise() {
    for (name, target) in fuzz_targets::ALL {
        for seed in seeds() {
            assert!(std::panic::catch_unwind(|| target(seed)).is_ok(), "{name}: {:?}", String::from_utf8_lossy(seed));
        }
    }
}

/// How many times the usual number of inputs each target is given: `FUZZ_TIMES=20 cargo test --test fuzz`.
#[allow(clippy::disallowed_methods, reason = "a setting of the test, not of the program")]
fn times() -> u32 {
    std::env::var("FUZZ_TIMES").map_or(1, |times| times.parse().unwrap())
}

macro_rules! targets {
    ($($name:ident: $cases:literal),*) => {
        $(proptest! {
            #![proptest_config(ProptestConfig { cases: $cases * times(), failure_persistence: None, ..ProptestConfig::default() })]
            #[test]
            fn $name(data in bytes()) {
                fuzz_targets::$name(&data);
            }
        })*

        #[test]
        fn every_target_is_tested() {
            let tested = [$(stringify!($name)),*];
            let all: Vec<&str> = fuzz_targets::ALL.iter().map(|(name, _)| *name).collect();
            assert_eq!(all, tested);
        }
    };
}

targets! {
    line_parser: 256,
    splitter: 128,
    socket_line: 128,
    sanitise: 256,
    timestamp: 96,
    price_list: 48,
    config_toml: 96,
    key_binding: 256,
    ledger_open: 24,
    render: 48
}
