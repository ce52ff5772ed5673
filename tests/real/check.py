#!/usr/bin/env python3
"""Holds what tokmeter reports of a real agent's run against the bill of that run, per model and per session.

usage: check.py [--tokmeter BINARY] [--agent NAME] [--ledger] RUN...

RUN is a folder that holds `truth.jsonl` (one line per billed answer) and `home/` (the agent's logs); folders that
hold such folders are searched. See README.md in this folder. Exit code 0: equal, or a lower bound or a
guessed split that says so.
"""
import argparse
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# The classes of tokens: their name in the report, and in the bill. A bill's `input` excludes the cache, its `out`
# includes the reasoning.
CLASSES = {
    "input_tokens": "input",
    "cache_read_tokens": "cr",
    "cache_write_5m_tokens": "w5",
    "cache_write_1h_tokens": "w1",
    "output_tokens": "out",
}


# Variables that name an agent's logs, below its home; agents that have a usual place need none.
PLACES = {
    "aider": {"AIDER_ANALYTICS_LOG": "analytics.jsonl"},
    "llm": {"LLM_USER_PATH": "llm"},
}
# Names that a user gave to a model, where an agent logs no other.
NAMES = {"aider": {None: "gpt-5.5"}, "droid": {"mock": "gpt-5.5"}}
# Agents that log how long cache writes live; of others only the sum is compared.
LIFETIMES = ("claude-code", "pi")


def bill(path, unseen):
    """Counts by (session, model), with or without the answers whose usage never reached the agent."""
    counts = collections.defaultdict(collections.Counter)
    sessions_known = True
    for line in path.read_text().splitlines():
        answer = json.loads(line)
        if "n" not in answer or "error" in answer or not (unseen or answer.get("seen", True)):
            continue
        session = answer.get("session")
        sessions_known &= session is not None
        of = counts[(session, answer["model"])]
        of["calls"] += 1
        for field, name in CLASSES.items():
            of[field] += answer.get(name) or 0
    return counts, sessions_known


def agent_of(run):
    """The agent's name in `AGENT-VERSION/SCENARIO`."""
    return run.parent.name.rpartition("-")[0]


def report(binary, run, ledger):
    """Reports of tokmeter on the logs in a run's home, with an isolated environment."""
    home = run / "home"
    with tempfile.TemporaryDirectory() as data:
        world = {"HOME": str(home), "PATH": os.environ.get("PATH", ""), "TZ": "UTC", "LANG": "C.UTF-8"}
        world |= {name: f"{data}/{name}" for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")}
        world |= {name: str(home / below) for name, below in PLACES.get(agent_of(run), {}).items()}
        words = [binary, "--data-dir", data, "report", "session", "--by", "model", "--json"]
        run = subprocess.run(words + ([] if ledger else ["--no-ledger"]), env=world, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{' '.join(words)}: exit code {run.returncode}\n{run.stderr}")
    return json.loads(run.stdout)


def by_model(counts):
    models = collections.defaultdict(collections.Counter)
    for (_, model), of in counts.items():
        models[(None, model)].update(of)
    return models


def differences(billed, found, bounds, guesses):
    """Sentences about every count that is not the bill's.

    A count below it is right where it is marked as a lower bound; a call that no log lists may be of a model that no log
    names, so that such a model may be missing where a session, or for models alone anything, is a lower bound. Fewer
    calls are right where all tokens are there: calls that an agent logs as a sum are reported as one. Where the split is
    marked as a guess, input and cache writes are compared as a whole.
    """
    bounded = {session for session, _ in bounds}
    for name in sorted(billed.keys() | found.keys(), key=str):
        want, have = billed.get(name, {}), found.get(name, {})
        pairs = {field: (want.get(field, 0), have.get(field, 0)) for field in ["calls", *CLASSES]}
        if name in guesses:
            split = [pairs.pop(field) for field in ("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")]
            pairs["input and written tokens"] = tuple(map(sum, zip(*split)))
        same_tokens = all(pair[0] == pair[1] for field, pair in pairs.items() if field != "calls")
        is_bound = name in bounds or (not have and name[0] in bounded)
        for field, (billed_count, count) in pairs.items():
            may_be_less = is_bound or (field == "calls" and same_tokens and count > 0)
            if count != billed_count and not (count < billed_count and may_be_less):
                yield f"{name[0] or 'all sessions'}, {name[1]}: {field} is {count}, billed were {billed_count}"


def in_sum(counts):
    """The same counts with all cache writes as one."""
    sums = {name: collections.Counter(of) for name, of in counts.items()}
    for of in sums.values():
        of["cache_write_5m_tokens"] += of.pop("cache_write_1h_tokens", 0)
    return sums


def compare(billed, sessions_known, found, *marks):
    wrong = list(differences(by_model(billed), by_model(found), *marks))
    return wrong or (list(differences(billed, found, *marks)) if sessions_known else [])


def check(binary, run, ledger):
    billed, sessions_known = bill(run / "truth.jsonl", unseen=False)
    found, bounds, guesses = collections.defaultdict(collections.Counter), set(), set()
    names = NAMES.get(agent_of(run), {})
    whole = (lambda counts: counts) if agent_of(run) in LIFETIMES else in_sum
    billed = whole(billed)
    for row in report(binary, run, ledger)["rows"]:
        name = (row["session"], names.get(row["model"], row["model"]))
        found[name].update({field: row[field] for field in ["calls", *CLASSES]})
        if row["lower_bound_calls"]:
            bounds |= {name, (None, name[1])}
        if row["guessed_calls"]:
            guesses |= {name, (None, name[1])}
    found = whole(found)
    wrong = compare(billed, sessions_known, found, bounds, guesses)
    if wrong:
        # Some agents log a sum that holds what they never saw.
        seen, known = bill(run / "truth.jsonl", unseen=True)
        if not compare(whole(seen), known, found, bounds, guesses):
            billed, wrong = whole(seen), []
    state = "WRONG" if wrong else "at least" if bounds else "about" if guesses else "equal"
    of_sessions = "" if sessions_known else ", sessions not in the bill"
    print(f"{state:8} {run.parent.name}/{run.name}: {sum(of['calls'] for of in billed.values())} calls{of_sessions}")
    for sentence in wrong:
        print(f"         {sentence}")
    return not wrong


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tokmeter", default="target/debug/tokmeter", help="the program to check")
    arguments.add_argument("--agent", help="only runs whose folder's parent begins with this name")
    arguments.add_argument("--ledger", action="store_true", help="through a ledger, not in memory")
    arguments.add_argument("runs", nargs="+", metavar="RUN", type=pathlib.Path)
    given = arguments.parse_args()
    binary = shutil.which(given.tokmeter) or sys.exit(f"{given.tokmeter}: no such program; `cargo build` makes it")
    runs = sorted({bill.parent for run in given.runs for bill in run.rglob("truth.jsonl")})
    runs = [run for run in runs if run.parent.name.startswith(given.agent or "")]
    if not runs:
        sys.exit("no run here: there is no truth.jsonl")
    results = [check(os.path.abspath(binary), run.absolute(), given.ledger) for run in runs]
    print(f"{sum(results)} of {len(results)} runs are right")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
