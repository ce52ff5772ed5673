// The view `History`: days by model, the last hours, the calendar, and the days as a table.

import { get } from "./api.js";
import { calendar } from "./calendar.js";
import { bars, legend, stacked } from "./chart.js";
import { $, link, table } from "./dom.js";
import { chips, filters } from "./filters.js";
import { day, later, number } from "./format.js";
import { cost, pico } from "./money.js";
import { hours } from "./now.js";

export async function update(_, params) {
  const only = filters(params);
  delete only.since;
  delete only.until;
  chips(document.querySelector("#history .filters"), "history", only);
  const span = Number($("span").value);
  const today = day(Date.now());
  const [byModel, byDay, recent] = await Promise.all([
    get("/api/v1/usage", { period: "day", by: "model", since: later(today, 1 - span), ...only }),
    get("/api/v1/usage", { period: "day", since: "371d", order: "desc", ...only }),
    hours(48, only),
  ]);
  const { series, parts } = stacked(byModel.rows, "day", byModel.unread_files);
  const columns = Array.from({ length: span }, (_, at) => later(today, at - span + 1)).map((name) => ({ label: name.slice(5), name, parts: parts.get(name) ?? [] }));
  bars($("days"), columns, series, byModel.total, byModel.unread_files);
  legend($("days-legend"), series);
  bars($("hours"), recent.columns, recent.series, recent.total, recent.unread);
  const costs = byDay.rows.map((row) => [row.day, { amount: pico(row.cost_usd), text: cost(row, undefined, byDay.unread_files) }]);
  calendar($("calendar"), today, new Map(costs), only);
  table($("day-table"), [["day"], ["calls", "n opt"], ["tokens", "n"], ["cost", "n"]],
    byDay.rows.slice(0, 31).map((row) => [{ text: row.day, href: link("calls", { ...only, since: row.day, until: row.day }) }, number(row.calls), number(row.total_tokens), cost(row, undefined, byDay.unread_files)]),
    "No call in this year.");
}
