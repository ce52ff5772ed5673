// Filters in the address, which the questions to the server take as they are.

import { element, link } from "./dom.js";

export const NAMES = ["user", "team", "project", "agent", "model", "source", "feature", "org", "session", "since", "until"];

// The filters among the parameters of the address.
export const filters = (params) => Object.fromEntries(NAMES.filter((name) => params[name]).map((name) => [name, params[name]]));

// The value of a filter for exactly this name: a star would match any characters, and a comma would separate names.
export const exactly = (name) => name && name.replace(/[,*]/g, "\\$&");

// A filter's value as text.
const words = (name, value) => (name === "session" ? value : value.replace(/\\([,*])/g, "$1"));

// Shows the filters in force, each with a link to the view without it.
export function chips(node, view, params) {
  const shown = Object.entries(filters(params));
  const items = shown.map(([name, value]) => {
    const { [name]: _, ...others } = params;
    const chip = element("a", `${name}: ${words(name, value)} ×`, "chip");
    chip.href = link(view, others);
    chip.setAttribute("aria-label", `Without ${name} ${words(name, value)}`);
    return chip;
  });
  const others = { history: "calls", calls: "history", sessions: "calls" }[view];
  if (shown.length && others) {
    const other = element("a", `${others} of these`, "other");
    other.href = link(others, filters(params));
    items.push(other);
  }
  node.replaceChildren(...items);
  node.hidden = items.length === 0;
}
