# Today's spend in the prompt of bash or zsh: source this file from ~/.bashrc or ~/.zshrc.
# COLUMNS keeps the line short; without tokmeter the prompt stays as it is.

tokmeter_prompt() {
  COLUMNS=40 tokmeter statusline --format '{today_cost} today · {limit}' </dev/null 2>/dev/null
}

if [ -n "${ZSH_VERSION:-}" ]; then
  setopt PROMPT_SUBST
  RPROMPT='$(tokmeter_prompt)'
elif [ -n "${BASH_VERSION:-}" ]; then
  PS1='[$(tokmeter_prompt)] '"${PS1:-\$ }"
fi
