// The views `Sessions` and `Calls`.

import { get } from "./api.js";
import { $, link, table } from "./dom.js";
import { chips, filters } from "./filters.js";
import { duration, moment, number, short } from "./format.js";
import { cost, usdFine } from "./money.js";

const PAGE = 100;
const MOST = 2000;
let shown = PAGE;
let asked = "";

export async function sessions(_, params) {
  const only = filters(params);
  chips(document.querySelector("#sessions .filters"), "sessions", only);
  const { rows, unread_files: unread } = await get("/api/v1/sessions", { order: "desc", limit: PAGE, ...only });
  table($("sessions-table"), [["begun"], ["project", "name"], ["agent", "opt"], ["user", "opt2"], ["models", "opt2"], ["lasted", "n opt"], ["calls", "n opt2"], ["tokens", "n opt"], ["cost", "n"]],
    rows.map((row) => [
      { text: moment(row.started), href: row.session && link("calls", { session: row.session }) },
      { text: short(row.project) || "–", title: row.project ?? "" },
      row.source, row.user ?? "–", row.models.join(", "), duration(row.duration_s), number(row.calls), number(row.total_tokens), cost(row, undefined, unread),
    ]), "No session yet.");
}

export async function calls(_, params) {
  const only = filters(params);
  chips(document.querySelector("#calls .filters"), "calls", only);
  if (asked !== JSON.stringify(only)) [asked, shown] = [JSON.stringify(only), PAGE];
  const { rows, total } = await get("/api/v1/calls", { limit: shown, ...only });
  table($("calls-table"), [["time"], ["model", "name"], ["project", "opt2"], ["agent", "opt2"], ["user", "opt2"], ["input", "n opt"], ["cached", "n opt"], ["output", "n opt"], ["cost", "n"]],
    rows.map((row) => [
      { text: moment(row.at), href: link(`call/${row.key}`) },
      row.model ?? "?",
      { text: short(row.project) || "–", title: row.project ?? "" },
      row.agent ?? "–", row.user ?? "–", number(row.input_tokens),
      number(row.cache_read_tokens + row.cache_write_5m_tokens + row.cache_write_1h_tokens), number(row.output_tokens), cost(row, usdFine),
    ]), "No call like this.");
  $("more").hidden = rows.length < shown || shown >= MOST || total.calls <= rows.length;
}

export function more() {
  shown = Math.min(MOST, shown + PAGE * 2);
}
