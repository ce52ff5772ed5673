#!/usr/bin/env python3
"""Holds what tokmeter reports of real agents' runs against the bill of each run: in all, per model and per session.

usage: check.py [--tokmeter BINARY] [--agent NAME] [--live KIT] RUN...

RUN is a folder that holds `truth.jsonl` (one line per billed answer) and `home/` (the agent's logs); folders that
hold such folders are searched. Prints a table with a line for each run; see README.md in this folder. Exit code 0: every
count is equal, or less and marked as a lower bound, or a guessed split that says so.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

# The classes of tokens: their name in the report, and in the bill. A bill's `input` excludes the cache, its `out`
# includes the reasoning.
CLASSES = {
    "input_tokens": "input",
    "cache_read_tokens": "cr",
    "cache_write_5m_tokens": "w5",
    "cache_write_1h_tokens": "w1",
    "output_tokens": "out",
}
FIELDS = ["calls", *CLASSES]
# Variables that name an agent's logs, below its home; agents that have a usual place need none.
PLACES = {"aider": {"AIDER_ANALYTICS_LOG": "analytics.jsonl"}, "llm": {"LLM_USER_PATH": "llm"}}
# Names that a user gave to a model, where an agent logs no other.
NAMES = {"aider": {None: "gpt-5.5"}, "droid": {"mock": "gpt-5.5"}}
# Agents that log how long cache writes live; of others only the sum is compared.
LIFETIMES = ("claude-code", "pi")
# Agents that keep no sessions.
NO_SESSIONS = ("aider",)
# Ways of counting: in memory, and through a ledger that is asked twice.
WAYS = {"memory": ["--no-ledger"], "ledger": []}


class Bill:
    """What was billed: counts by session and model, each a dictionary of its fields."""

    def __init__(self, run, unseen):
        """With or without the answers whose usage never reached the agent."""
        lines = map(json.loads, (run / "truth.jsonl").read_text().splitlines())
        answers = [line for line in lines if "n" in line and "error" not in line]
        self.answers = len(answers)
        self.counts = collections.defaultdict(collections.Counter)
        for answer, session in zip(answers, sessions(answers, run.name)):
            if not (unseen or answer.get("seen", True)):
                continue
            of = self.counts[(session, answer["model"])]
            of["calls"] += 1
            for field, name in CLASSES.items():
                of[field] += answer.get(name) or 0


def sessions(answers, scenario):
    """The session of each answer, by a name that may be made up: most services do not learn the agent's own.

    All answers of a run are one session's but where the scenario is a fork: there the answers from the second task on
    are the fork's, until the parent goes on.
    """
    if all(answer.get("session") for answer in answers):
        return [answer["session"] for answer in answers]
    if scenario != "fork":
        return ["only"] * len(answers)
    names, tasks = [], 0
    for answer in answers:
        tasks += answer["scn"] == "SCN:tools" and answer["step"] == 0 and not answer["bg"]
        names.append("fork" if tasks > 1 and answer["scn"] == "SCN:tools" else "parent")
    return names


def agent_of(run):
    """The agent's name in `AGENT-VERSION/SCENARIO`."""
    return run.parent.name.rpartition("-")[0]


def environment(run, data):
    """An isolated environment in which the run's home is the home."""
    home = run / "home"
    world = {"HOME": str(home), "PATH": os.environ.get("PATH", ""), "TZ": "UTC", "LANG": "C.UTF-8"}
    world |= {name: f"{data}/{name}" for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")}
    return world | {name: str(home / below) for name, below in PLACES.get(agent_of(run), {}).items()}


def report(binary, run, flags):
    """The rows of a report by session and model; with a ledger that of the second time, which reads nothing anew."""
    with tempfile.TemporaryDirectory() as data:
        words = [binary, "--data-dir", data, "report", "session", "--by", "model", "--json", *flags]
        for _ in range(1 if flags else 2):
            found = subprocess.run(words, env=environment(run, data), capture_output=True, text=True)
            if found.returncode:
                sys.exit(f"{' '.join(words)}: exit code {found.returncode}\n{found.stderr}")
    return json.loads(found.stdout)["rows"]


class Found:
    """What tokmeter reports, as a bill; and of what it says that it is a lower bound or that its split is a guess."""

    def __init__(self, rows, agent):
        names = NAMES.get(agent, {})
        self.counts, self.bounds, self.guesses = collections.defaultdict(collections.Counter), set(), set()
        for row in rows:
            name = (row["session"], names.get(row["model"], row["model"]))
            self.counts[name].update({field: row[field] for field in FIELDS})
            marked = [self.bounds] * (row["lower_bound_calls"] > 0) + [self.guesses] * (row["guessed_calls"] > 0)
            for marks in marked:
                marks.add(name)


def by(level, counts):
    """Sums: in all, per model, or per session and model."""
    sums = collections.defaultdict(collections.Counter)
    for (session, model), of in counts.items():
        sums[{"total": (None, None), "model": (None, model), "session": (session, model)}[level]].update(of)
    return sums


def in_sum(counts):
    """The same counts with all cache writes as one."""
    sums = {name: collections.Counter(of) for name, of in counts.items()}
    for of in sums.values():
        of["cache_write_5m_tokens"] += of.pop("cache_write_1h_tokens", 0)
    return sums


def matched(billed, found):
    """Reported counts under the bill's names of sessions, matched by their counts where the names are made up."""
    if {session for session, _ in billed} & {session for session, _ in found}:
        return found
    size = lambda counts, session: sum(of["output_tokens"] for (own, _), of in counts.items() if own == session)
    order = lambda counts: sorted({session for session, _ in counts}, key=lambda session: (size(counts, session), str(session)))
    theirs = dict(zip(reversed(order(found)), reversed(order(billed))))
    return {(theirs.get(session, session), model): of for (session, model), of in found.items()}


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
        pairs = {field: (want.get(field, 0), have.get(field, 0)) for field in FIELDS}
        if name in guesses:
            split = [pairs.pop(field) for field in ("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")]
            pairs["input and written tokens"] = tuple(map(sum, zip(*split)))
        same_tokens = all(pair[0] == pair[1] for field, pair in pairs.items() if field != "calls")
        is_bound = name in bounds or (not have and name[0] in bounded)
        for field, (billed_count, count) in pairs.items():
            may_be_less = is_bound or (field == "calls" and same_tokens and count > 0)
            if count != billed_count and not (count < billed_count and may_be_less):
                yield f"{name[0] or 'all sessions'}, {name[1] or 'all models'}: {field} is {count}, billed were {billed_count}"


def verdict(run, level, found):
    """`=`, `≥`, `~` or `WRONG`, and sentences about what is wrong."""
    whole = (lambda counts: counts) if agent_of(run) in LIFETIMES else in_sum
    have = found.counts
    sentences = None
    # Some agents log a sum that holds what they never saw.
    for unseen in (False, True):
        billed = whole(by(level, Bill(run, unseen).counts))
        names = have if level != "session" else matched(by("session", Bill(run, unseen).counts), have)
        marks = [by(level, {name: {} for name in marked}).keys() for marked in (found.bounds, found.guesses)]
        if level == "session":
            renamed = dict(zip(have, names))
            marks = [{renamed[name] for name in marked} for marked in (found.bounds, found.guesses)]
        reported = whole(by(level, names))
        if not list(differences(billed, reported, set(), set())):
            return "=", []
        sentences = sentences or list(differences(billed, reported, *marks))
        if not list(differences(billed, reported, marks[0], set())):
            return "≥", []
        if not list(differences(billed, reported, *marks)):
            return "~", []
    return "WRONG", sentences


def check(run, rows_of):
    """A line of the table: the verdict of each level, the same for every way of counting or told apart."""
    cells, wrong = [], []
    for level in ("total", "model", "session"):
        if level == "session" and agent_of(run) in NO_SESSIONS:
            cells.append("–")
            continue
        found = {way: verdict(run, level, Found(rows, agent_of(run))) for way, rows in rows_of.items()}
        states = {state for state, _ in found.values()}
        cells.append(states.pop() if len(states) == 1 else " ".join(f"{way}:{state}" for way, (state, _) in found.items()))
        wrong += [f"{way}, {level}: {sentence}" for way, (_, sentences) in found.items() for sentence in sentences]
    print(f"{run.parent.name:22} {run.name:14} {Bill(run, True).answers:5}  " + "  ".join(f"{cell:7}" for cell in cells), flush=True)
    for sentence in dict.fromkeys(wrong):
        print(f"    {sentence}")
    return not wrong


def live(binary, kit, run):
    """Rows of a server that follows the home while the kit lets the agent run in it once more."""
    agent, _, version = run.parent.name.rpartition("-")
    # Earlier calls are not part of the new bill.
    shutil.rmtree(run / "home", ignore_errors=True)
    with tempfile.TemporaryDirectory() as data:
        words = [binary, "--data-dir", data, "serve", "--listen", "127.0.0.1:0"]
        server = subprocess.Popen(words, env=environment(run, data), cwd=data, stderr=subprocess.PIPE, text=True)
        try:
            url = next(found.group(1) for found in (re.search(r"listening on (http://\S+)", line) for line in server.stderr) if found)
            words = [sys.executable, str(pathlib.Path(kit) / "agents.py"), "run", f"{agent}@{version}"]
            subprocess.run([*words, "--dir", str(run.parents[2]), "--scenario", run.name], stdout=subprocess.DEVNULL, check=False)
            ends, rows = time.monotonic() + 20, []
            # The agent has ended; what it wrote last may be a moment away.
            while time.monotonic() < ends:
                rows = usage(url)
                if verdict(run, "session", Found(rows, agent))[0] != "WRONG":
                    break
                time.sleep(0.2)
            return rows
        finally:
            server.terminate()
            server.wait()


def usage(url):
    import urllib.request

    with urllib.request.urlopen(f"{url}/api/v1/usage?period=session&by=model") as answer:
        return json.loads(answer.read())["rows"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tokmeter", default="target/debug/tokmeter", help="the program to check")
    arguments.add_argument("--agent", help="only runs whose folder's parent begins with this name")
    arguments.add_argument("--live", metavar="KIT", help="let the agents run again, and follow them meanwhile")
    arguments.add_argument("runs", nargs="+", metavar="RUN", type=pathlib.Path)
    given = arguments.parse_args()
    binary = os.path.abspath(shutil.which(given.tokmeter) or sys.exit(f"{given.tokmeter}: no such program; `cargo build` makes it"))
    runs = sorted({bill.parent.absolute() for run in given.runs for bill in run.rglob("truth.jsonl")})
    # A run in which nothing was asked says nothing; SDKs keep no logs in the home.
    runs = [run for run in runs if run.parent.name.startswith(given.agent or "") and run.name != "sdk" and Bill(run, True).answers]
    if not runs:
        sys.exit("no run here: there is no truth.jsonl")
    print(f"{'agent':22} {'scenario':14} {'calls':5}  {'total':7}  {'model':7}  session")
    results = []
    for run in runs:
        rows = {"live": live(binary, given.live, run)} if given.live else {}
        rows |= {way: report(binary, run, flags) for way, flags in WAYS.items()}
        results.append(check(run, rows))
    print(f"{sum(results)} of {len(results)} runs are right")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
