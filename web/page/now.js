// The view `Now`: the live counter, limits, running sessions, models and the latest calls.

import { get } from "./api.js";
import { bars, stacked } from "./chart.js";
import { $, link, say, table } from "./dom.js";
import { exactly } from "./filters.js";
import { clock, compact, number, plural, seconds, short } from "./format.js";
import { limits } from "./limits.js";
import { cost, rate, share, usdAs, usdFine } from "./money.js";

const HOUR = 3_600_000;

function head(summary) {
  const { today, week, month } = summary;
  say("today", cost(today));
  say("today-detail", `${compact(today.tokens)} tokens in ${plural(today.calls, "call")}${summary.by_day_end_usd === null ? "" : ` · ${usdAs(summary.by_day_end_usd, today)} by midnight`}`);
  say("rate", rate(summary.cost_per_hour_usd, summary.rate));
  say("rate-detail", `${number(summary.tokens_per_min)} tokens a minute · last 5 minutes`);
  say("week", cost(week));
  say("week-detail", `${compact(week.tokens)} tokens in ${plural(week.calls, "call")}`);
  say("month", cost(month));
  say("month-detail", summary.by_month_end_usd === null ? `${compact(month.tokens)} tokens` : `${usdAs(summary.by_month_end_usd, month)} by its end`);
}

function running(summary) {
  const rows = summary.running.filter((line) => line.state !== "ended").flatMap((line) => [
    [
      { text: short(line.project) || "–", title: line.project ?? "", href: line.session && link("calls", { session: line.session }) },
      line.source,
      line.model ?? "?",
      cost(line.today),
      `${rate(line.cost_per_hour_usd, line.rate)}/h`,
      seconds(line.last),
      { text: line.state, className: `state-${line.state}` },
    ],
    ...line.agents.map((agent) => [{ text: agent.name, className: "sub" }, "sub-agent", "", cost(agent.today), `${rate(agent.cost_per_hour_usd, agent.rate)}/h`, "", ""]),
  ]);
  table($("running"), [["project", "name"], ["agent", "opt"], ["model", "opt"], ["today", "n"], ["per hour", "n"], ["last call", "opt2"], ["state", "opt2"]], rows, "No session runs.");
}

// With every event.
export function event(summary) {
  head(summary);
  limits(summary);
  running(summary);
  table($("models"), [["model", "name"], ["tokens", "n opt2"], ["cost", "n"], ["share", "n"]],
    summary.models.map((line) => [{ text: line.model ?? "?", href: line.model && link("calls", { model: exactly(line.model), since: "today" }) }, compact(line.today.tokens), cost(line.today), share(line.share, line.today, summary.today)]),
    "No call today.");
  table($("latest"), [["time"], ["model", "name"], ["project", "opt2"], ["tokens", "n opt2"], ["cost", "n"]],
    summary.calls.slice(0, 12).map((call) => [{ text: seconds(call.at), href: link(`call/${call.key}`) }, call.model ?? "?", [short(call.project), call.agent].filter(Boolean).join("/"), number(call.tokens), cost(call, usdFine)]),
    "No call today.");
}

// The columns of the last hours: an amount for each model.
export async function hours(count, params = {}) {
  // The hours of some zones begin at half past or at a quarter.
  const [minutes, second] = seconds(Date.now()).split(":").slice(1).map(Number);
  const last = Math.floor(Date.now() / 1000 - minutes * 60 - second) * 1000;
  const first = last - (count - 1) * HOUR;
  const { rows, total, unread_files: unread } = await get("/api/v1/usage", { period: "hour", by: "model", since: new Date(first).toISOString(), ...params });
  for (const row of rows) row.start = Date.parse(row.hour);
  const { series, parts } = stacked(rows, "start", unread);
  const columns = Array.from({ length: count }, (_, at) => first + at * HOUR)
    .map((start) => ({ label: clock(start).slice(0, 2), name: `${clock(start)}–${clock(start + HOUR)}`, parts: parts.get(start) ?? [] }));
  return { columns, series, total, unread };
}

export async function update() {
  const { columns, series, total, unread } = await hours(24);
  bars($("today-chart"), columns, series, total, unread);
}
