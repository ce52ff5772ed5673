#!/usr/bin/env python3
"""Lets real agents send their telemetry to `tokmeter serve`, and holds its totals against the bill.

usage: telemetry.py [--tokmeter BINARY] [--setup] KIT FOLDER [AGENT[:SCENARIO]...]

KIT is a folder with `agents.py`, as for repeat.sh. Each run is compared twice: telemetry alone, and then together with the
agent's own logs, which report the same calls. With --setup, telemetry is switched on by `tokmeter setup` in a fresh home, and by
nothing else. Exit code 0: every total is equal.
"""
import argparse
import collections
import contextlib
import importlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

CLASSES = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
USUAL = ["claude-code:tools", "claude-code:agent", "codex:tools", "codex:agent", "gemini-cli:tools", "copilot:tools", "qwen-code:tools"]
# The agents that `tokmeter setup` can connect.
SET_UP = ("claude", "codex", "gemini")


class Served:
    """A running server; its data folder outlives it."""

    def __init__(self, binary, home, data):
        env = {"HOME": str(home), "XDG_DATA_HOME": str(data), "XDG_CONFIG_HOME": str(data), "XDG_RUNTIME_DIR": str(data)}
        command = [binary, "serve", "--listen", "127.0.0.1:0"]
        self.child = subprocess.Popen(command, env=env, cwd=data, stderr=subprocess.PIPE, text=True)
        # Notes about the logs may come first.
        lines = (re.search(r"listening on (http://\S+)", line) for line in self.child.stderr)
        self.url = next(found.group(1) for found in lines if found)
        while not self.is_ready():
            time.sleep(0.05)

    def is_ready(self):
        try:
            return self.get("/readyz") is not None
        except urllib.error.HTTPError:
            return False

    def get(self, path):
        with urllib.request.urlopen(self.url + path) as answer:
            return answer.read()

    def totals(self):
        """Tokens by model."""
        rows = json.loads(self.get("/api/v1/usage?period=total&by=model"))["rows"]
        totals = {}
        for row in rows:
            writes = row.get("cache_write_5m_tokens", 0) + row.get("cache_write_1h_tokens", 0)
            totals[row["model"]] = tuple(writes if name == "cache_write_tokens" else row[name] for name in CLASSES)
        return totals

    def stop(self):
        self.child.terminate()
        return self.child.wait()


def bill(path):
    totals = collections.defaultdict(lambda: [0, 0, 0, 0])
    for line in path.read_text().splitlines():
        answer = json.loads(line)
        if "n" not in answer or "error" in answer:
            continue
        counts = (answer["input"], answer["cr"], answer["w5"] + answer["w1"], answer["out"])
        totals[answer["model"]] = [sum(pair) for pair in zip(totals[answer["model"]], counts)]
    return {model: tuple(counts) for model, counts in totals.items()}


def compare(name, found, wanted):
    if found == wanted:
        print(f"equal  {name}")
        return True
    for model in sorted(set(found) | set(wanted)):
        if found.get(model) != wanted.get(model):
            print(f"WRONG  {name}: {model}: {found.get(model)} is not {wanted.get(model)}")
    return False


def run_agent(kit, folder, agent, scenario, url, form):
    """Runs an agent whose telemetry the kit switches on; what the kit printed."""
    command = [sys.executable, str(kit / "agents.py"), "run", agent, "--dir", str(folder), "--scenario", scenario]
    command += ["--telemetry", url, "--otlp", form]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout


def set_up_and_run(binary, kit, folder, agent, scenario, url):
    """Runs an agent whose telemetry `tokmeter setup` switches on; what the kit printed."""
    sys.path.insert(0, str(kit))
    agents = importlib.import_module("agents")
    which = agents.AGENTS[agent]
    theirs = type(which).setup

    def setup(self, run):
        theirs(self, run)
        env = {"HOME": run.home, "XDG_DATA_HOME": run.home + "/.data", "XDG_CONFIG_HOME": run.home + "/.conf"}
        command = [binary, "setup", agent.split("-")[0], "--telemetry", url, "--yes"]
        subprocess.run(command, env=env, cwd=run.work, check=True, stdout=sys.stderr)

    type(which).setup = setup
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            agents.run(str(folder), agent, scenario)
    finally:
        type(which).setup = theirs
    return out.getvalue()


def run(binary, kit, folder, agent, scenario, form):
    data = folder / "data" / f"{agent}-{scenario}-{form}"
    (data / "empty").mkdir(parents=True)
    served = Served(binary, data / "empty", data)
    if form == "setup":
        out = set_up_and_run(binary, kit, folder, agent, scenario, served.url)
    else:
        out = run_agent(kit, folder, agent, scenario, served.url, form)
    found = re.search(r"bill (\S+)", out)
    if not found:
        served.stop()
        print(f"skipped: {agent} could not be run: {out.strip()}")
        return True
    truth = pathlib.Path(found.group(1))
    wanted = bill(truth)
    name = f"{agent} {scenario} {form}"
    is_right = compare(f"{name}, telemetry", served.totals(), wanted)
    served.stop()
    served = Served(binary, truth.parent / "home", data)
    is_right &= compare(f"{name}, telemetry and logs", served.totals(), wanted)
    served.stop()
    return is_right


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokmeter", default="target/debug/tokmeter")
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("kit", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("agents", nargs="*")
    args = parser.parse_args()
    binary, folder = os.path.abspath(args.tokmeter), args.folder.absolute()
    usual = [name for name in USUAL if name.split("-")[0].split(":")[0] in SET_UP] if args.setup else USUAL
    runs = [name.partition(":") for name in args.agents or usual]
    forms = ["setup"] if args.setup else ["json", "protobuf"]
    right = [
        run(binary, args.kit, folder, agent, scenario or "tools", form)
        for agent, _, scenario in runs
        # Gemini CLI and Qwen Code know one form.
        for form in (forms if agent not in ("gemini-cli", "qwen-code") else forms[:1])
    ]
    sys.exit(0 if all(right) else 1)


if __name__ == "__main__":
    main()
