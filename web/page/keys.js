// Keys: views by number, tables by arrows.

import { $ } from "./dom.js";

// A dialog that was closed has the focus until the next frame.
const isTyping = (target) => target.closest("input, select, textarea, dialog[open]") !== null;

function step(from, by) {
  const box = from.closest("table") ?? document.querySelector(".view:not([hidden]) table:not([hidden])");
  const links = [...(box?.querySelectorAll("tbody a") ?? [])];
  if (!links.length) return false;
  const at = links.indexOf(from);
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
  if (!next) return false;
  next.focus();
  return true;
}

export function keys() {
  const help = () => ($("help").open ? $("help").close() : $("help").showModal());
  $("keys").addEventListener("click", help);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const views = [...document.querySelectorAll("header nav a")];
    const actions = {
      t: window.nextTheme,
      "?": help,
      Backspace: () => history.back(),
      ArrowDown: () => step(event.target, 1),
      ArrowUp: () => step(event.target, -1),
    };
    const action = actions[event.key] ?? (views[Number(event.key) - 1] && (() => views[Number(event.key) - 1].click()));
    if (action && action() !== false) event.preventDefault();
  });
}
