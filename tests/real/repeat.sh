#!/bin/sh
# Runs real agents against a model service whose bill is known, and holds what tokmeter reports against the bill.
#
#   tests/real/repeat.sh KIT FOLDER [AGENT...]
#
# KIT is a folder with `agents.py`, which installs agents from their registries and records runs as README.md describes
# them; FOLDER gets the packages and the runs. Without names, every agent that tokmeter finds by itself is run.
set -eu
kit=$1 folder=$2
shift 2
[ $# -gt 0 ] || set -- claude-code codex gemini-cli opencode qwen-code copilot pi kimi-code cline kilocode droid vibe aider llm
here=$(dirname "$0")
for agent in "$@"; do
    python3 "$kit/agents.py" all --dir "$folder" --only "$agent" || echo "some runs of $agent did not work" >&2
done
python3 "$here/check.py" "$folder/runs"
