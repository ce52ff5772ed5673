"""Meter the calls of a Python program: ask before each call, record after it.

Needs nothing but Python 3.8. It talks to a running tokmeter that has a socket (`tokmeter --socket`, or `tokmeter serve`
with `[server] socket = true` in the config). Without one, it asks the `tokmeter` command about limits and appends calls
to the usage log, which every tokmeter reads. A meter that is not there, or stalls, never stops the program.
"""

import contextlib
import datetime
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import uuid

PATIENCE = 0.2  # seconds to wait for the meter


class OverBudget(RuntimeError):
    """A limit is reached, or the budget of this meter is spent."""


class Meter:
    """Names (user=, team=, project=, agent=, feature=, session=) go with every call made through it."""

    def __init__(self, budget_usd=None, socket_path=None, **names):
        self.names = {"session": str(uuid.uuid4()), **names}
        self.budget_usd = budget_usd
        self.spent_usd = 0.0
        self.socket_path = socket_path or _socket_path()

    def check(self, **names):
        """Raises OverBudget when the next call may not be made."""
        if self.budget_usd is not None and self.spent_usd >= self.budget_usd:
            raise OverBudget(f"budget spent: ${self.spent_usd:.2f} of ${self.budget_usd:.2f}")
        names = {**self.names, **names}
        answer = self._ask({"query": "gate", **names}) or _gate_command(names)
        if not answer.get("allowed", True):
            raise OverBudget(answer.get("reason") or "a limit is reached")

    def record(self, **call):
        """Books one call: model=, input_tokens=, output_tokens=, or usage= as the API gave it."""
        at = datetime.datetime.now(datetime.timezone.utc).isoformat()
        line = {"id": str(uuid.uuid4()), "at": at, **self.names, **call}
        answer = self._ask(line)
        if answer is None or not answer.get("ok"):
            answer = _append(line)
        self.spent_usd += answer.get("cost_usd") or 0.0
        return answer

    @contextlib.contextmanager
    def call(self, **names):
        """with meter.call(model="…") as call: call["usage"] = the API's usage object."""
        self.check(**names)
        call = dict(names)
        try:
            yield call
        finally:  # a call that failed half-way may have used tokens too
            if "usage" in call or "input_tokens" in call or "prompt_tokens" in call:
                self.record(**call)

    def metered(self, **names):
        """Decorates a function that returns an API's response, an object or a dict with `usage` and `model`."""

        def decorate(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                with self.call(**names) as call:
                    response = function(*args, **kwargs)
                    usage = _get(response, "usage")
                    if usage is not None:
                        call["usage"] = _plain(usage)
                        call.setdefault("model", _get(response, "model"))
                return response

            return wrapper

        return decorate

    def _ask(self, line):
        """The meter's answer; None when nobody answers in time."""
        try:
            with socket.socket(socket.AF_UNIX) as meter:
                meter.settimeout(PATIENCE)
                meter.connect(self.socket_path)
                meter.sendall(json.dumps(line).encode() + b"\n")
                with meter.makefile("rb") as answers:
                    return json.loads(answers.readline())
        except (OSError, ValueError, AttributeError):
            return None


def _get(thing, name):
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)


def _plain(usage):
    """A usage object of an SDK as plain JSON."""
    for name in ("model_dump", "to_dict", "dict"):
        if hasattr(usage, name):
            return getattr(usage, name)()
    return usage if isinstance(usage, dict) else vars(usage)


def _gate_command(names):
    """Asks the command; exit code 2 is its only no."""
    command = shutil.which("tokmeter")
    if command is None:
        return {}
    known = ("user", "model", "project", "team", "agent", "feature", "session")
    words = [f"--{name}={names[name]}" for name in known if names.get(name)]
    try:
        asked = subprocess.run([command, "gate", *words], capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"allowed": asked.returncode != 2, "reason": asked.stderr.strip()}


def _append(line):
    """Appends to the usage log in one write, for its owner only."""
    folder = _data_folder()
    os.makedirs(folder, mode=0o700, exist_ok=True)
    file = os.open(os.path.join(folder, "usage.jsonl"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps(line).encode() + b"\n")
    finally:
        os.close(file)
    return {"ok": True, "cost_usd": None}


def _socket_path():
    said = os.environ.get("TOKMETER_SOCKET")
    if said or not hasattr(os, "getuid"):
        return said or ""
    run = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    own = os.path.join(run, "tokmeter.sock")
    return own if os.path.exists(own) else f"/tmp/tokmeter-{os.getuid()}/tokmeter.sock"


def _data_folder():
    said = os.environ.get("TOKMETER_DATA_DIR")
    if said:
        return said
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Application Support/tokmeter")
    return os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "tokmeter")
