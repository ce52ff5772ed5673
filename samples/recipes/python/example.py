"""Calls a made-up model until a limit stops it. `tokmeter limits set session '1000 tokens'` sets one."""

from tokmeter import Meter, OverBudget

meter = Meter(user="alice", feature="example", session="python-example")


@meter.metered(model="dollar")
def ask(question):
    return {"model": "dollar", "answer": question.upper(), "usage": {"input_tokens": 0, "output_tokens": 300}}


calls = 0
try:
    while calls < 100:
        ask("how much is this?")
        calls += 1
except OverBudget as why:
    print(f"stopped after {calls} calls: {why}")
else:
    print(f"never stopped: {calls} calls")
