// Limits and providers' windows with their bars and forecasts.

import { $, element } from "./dom.js";
import { moment, number } from "./format.js";
import { pico, usd } from "./money.js";

function amount({ usd: dollars, tokens, output_tokens: output }) {
  const parts = [];
  if (dollars !== undefined) parts.push(dollars === null ? "?" : usd(pico(dollars)));
  if (tokens !== undefined) parts.push(`${number(tokens)} tokens`);
  if (output !== undefined) parts.push(`${number(output)} output tokens`);
  return parts.join(", ");
}

function bar({ name, words, percent, mark = "", verdict, times }) {
  const box = element("div", undefined, `limit ${verdict}`);
  const line = element("p");
  line.append(element("span", name), element("strong", percent === "?" ? "?" : `${mark}${number(percent)}%`));
  const track = element("div", undefined, "bar");
  const fill = element("i");
  fill.style.width = `${percent === "?" ? 0 : Math.min(100, Number(percent))}%`;
  track.append(fill);
  box.append(line, track, element("p", [words, ...times].filter(Boolean).join(" · "), "detail"));
  return box;
}

function ofLimit(limit, now) {
  const mark = limit.lower_bound ? "≥ " : limit.guessed ? "~ " : "";
  // As on the terminal: not known while nothing that counts has a price.
  const isUnpriced = limit.used.usd === null;
  return bar({
    name: limit.name,
    words: `${isUnpriced ? "" : mark}${amount(limit.used)} of ${amount(limit.allowed)}`,
    percent: limit.percent ?? "?",
    mark,
    verdict: limit.lifted ? "under" : limit.verdict,
    times: [
      limit.lifted && "lifted",
      limit.verdict === "over" ? "reached" : limit.reached_at && `full at ${moment(limit.reached_at, now)} at this pace`,
      limit.resets_at && `resets ${moment(limit.resets_at, now)}`,
    ],
  });
}

function ofWindow(quota, now) {
  const percent = Number(quota.used_percent);
  const window = quota.window_minutes % 1440 === 0 ? `${quota.window_minutes / 1440} d` : quota.window_minutes % 60 === 0 ? `${quota.window_minutes / 60} h` : `${quota.window_minutes} min`;
  return bar({
    name: `${quota.source} · ${window} window`,
    words: "stated by the provider",
    percent: quota.stale ? "?" : quota.used_percent,
    verdict: quota.stale || percent < 80 ? "under" : percent < 100 ? "near" : "over",
    times: [quota.resets_at && `${quota.stale ? "started over" : "resets"} ${moment(quota.resets_at, now)}`, `as of ${moment(quota.stated_at, now)}`],
  });
}

export function limits(summary) {
  const all = [...summary.limits.map((limit) => ofLimit(limit, summary.at)), ...summary.provider_windows.map((quota) => ofWindow(quota, summary.at))];
  const none = element("p", "No limit is set. In a terminal: tokmeter limits set day 25usd", "detail");
  $("limits").replaceChildren(...(all.length ? all : [none]));
}
