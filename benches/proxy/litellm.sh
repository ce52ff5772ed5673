#!/usr/bin/env bash
# LiteLLM's proxy from PyPI in the table of `tokmeter bench proxy`: bash benches/proxy/litellm.sh [TOKMETER] [CALLS]
set -euo pipefail
tokmeter=${1:-tokmeter} calls=${2:-150} service=127.0.0.1:4390 port=4391
folder=$(mktemp -d)
trap 'kill "${litellm:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT

if ! command -v litellm >/dev/null 2>&1; then
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install --quiet 'litellm[proxy]'
  PATH=$folder/venv/bin:$PATH
fi
cat >"$folder/config.yaml" <<END
model_list:
  - model_name: gpt-5
    litellm_params: {model: openai/gpt-5, api_base: "http://$service/v1", api_key: sk-bench}
END
LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY=true LITELLM_LOG=ERROR LITELLM_LOCAL_MODEL_COST_MAP=True litellm --config "$folder/config.yaml" --host 127.0.0.1 --port $port >"$folder/log" 2>&1 &
litellm=$!
for _ in $(seq 240); do
  curl --silent --fail --output /dev/null "http://127.0.0.1:$port/health/liveliness" && break
  kill -0 "$litellm" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.5
done
litellm --version
"$tokmeter" bench proxy --calls "$calls" --limits --service $service --compare litellm=127.0.0.1:$port
