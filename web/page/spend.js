// The view `Spend`: who and what spent how much.

import { get } from "./api.js";
import { $, element, link, table } from "./dom.js";
import { exactly } from "./filters.js";
import { number, short } from "./format.js";
import { cost, height, pico, share } from "./money.js";

// Dimensions and what they are called here.
const BY = { user: "user", team: "team", project: "project", agent: "sub-agent", model: "model", source: "agent", feature: "feature", org: "organisation" };

export async function update(arg, params) {
  const by = Object.hasOwn(BY, arg) ? arg : "user";
  if (!$("by").childElementCount) {
    $("by").append(...Object.entries(BY).map(([name, text]) => {
      const anchor = element("a", text);
      anchor.href = link(`spend/${name}`);
      anchor.dataset.by = name;
      return anchor;
    }));
  }
  for (const anchor of $("by").children) {
    if (anchor.dataset.by === by) anchor.setAttribute("aria-current", "true");
    else anchor.removeAttribute("aria-current");
  }
  const since = params.since ?? $("spend-since").value;
  const { rows, total, unread_files: unread } = await get("/api/v1/usage", { period: "total", by, since });
  const sorted = rows.map((row) => ({ row, amount: pico(row.cost_usd) })).sort((a, b) => (a.amount < b.amount ? 1 : a.amount > b.amount ? -1 : 0));
  const all = height(pico(total.cost_usd)) || 1;
  const lines = sorted.map(({ row, amount }) => {
    const name = row[by];
    const percent = pico(total.cost_usd) || !total.unpriced_tokens ? Math.round((height(amount) / all) * 100) : null;
    return [
      { text: name === null ? "–" : by === "project" ? short(name) : name, title: name ?? "", href: name && link("calls", { [by]: exactly(name), since }) },
      number(row.calls), number(row.total_tokens), cost(row, undefined, unread), share(percent, row, total),
    ];
  });
  if (lines.length > 1) lines.push([{ text: "all", className: "total" }, number(total.calls), number(total.total_tokens), cost(total, undefined, unread), ""]);
  table($("spend-table"), [[BY[by], "name"], ["calls", "n opt2"], ["tokens", "n opt"], ["cost", "n"], ["share", "n"]], lines, "No call in this time.");
}
