// The view of one call: the arithmetic of its cost, as `tokmeter explain` prints it, and where it was read.

import { get } from "./api.js";
import { $, facts, link, say, table } from "./dom.js";
import { exactly } from "./filters.js";
import { day, number, seconds } from "./format.js";
import { cost, usdFine } from "./money.js";

const words = (name) => name.replaceAll("_", " ");

// Where the price is from, in the words of `tokmeter explain`.
function price({ price, found, since, since_is: known }) {
  if (!price) return "no price is known: give one under [prices] in the config";
  const day = {
    launch: "since the launch",
    oldest_listed: `the oldest price known, listed ${since}`,
    within_half_a_month: found === "fetched list" ? `first seen in a list of ${since}, begun before` : `first listed ${since}, begun up to half a month before`,
  }[known] ?? (since ? `since ${since}` : "always");
  return `${price}, ${found}, ${day}`;
}

const WHOSE = { priced: "by", quoted: "stated by the log;", unpriced: "" };

// Dollars have at least two decimals, and all that there are.
const exact = (text) => `$${/\.\d$/.test(text) ? `${text}0` : text}`;

export async function update(key) {
  const call = await get(`/api/v1/calls/${encodeURIComponent(key)}`);
  // With the mark that it has in lists.
  call.lower_bound_calls = call.fidelity === "lower_bound" ? 1 : 0;
  call.guessed_calls = call.fidelity === "guessed" || call.guesses.length ? 1 : 0;
  say("call-cost", cost(call, usdFine));
  const differs = call.booked_usd !== null && call.booked_usd !== call.cost_usd;
  say("call-is", [`${WHOSE[call.cost_is]} ${price(call)}`.trim(), differs && `booked as $${call.booked_usd}`].filter(Boolean).join(" · "));
  const rows = call.buckets.map((bucket) => [
    words(bucket.class), number(bucket.tokens), "×", `${exact(bucket.usd_per_million)}${String(bucket.part) === "1" ? "" : ` × ${bucket.part}`}`, "=", `$${bucket.usd}`,
  ]);
  for (const { factor, times } of call.factors) rows.push([words(factor), "", "", `× ${times}`, "", ""]);
  if (call.factors.length || rows.length > 1) rows.push([{ text: "tokens", className: "total" }, "", "", "", "=", `$${call.tokens_usd}`]);
  if (call.web_searches) rows.push(["web searches", number(call.web_searches), "", "", "=", call.web_searches_usd === null ? "?" : `$${call.web_searches_usd}`]);
  table($("sum"), [["class", "name"], ["tokens", "n"], ["", "sign"], ["per million", "n"], ["", "sign"], ["dollars", "n"]], rows, "Nothing of it has a price.");
  facts($("facts"), [
    ["key", call.key],
    ["time", `${day(call.at)} ${seconds(call.at)}`],
    ["model", call.model ?? "no model named"],
    ["agent", call.source],
    ["session", call.session && { text: call.session, href: link("calls", { session: call.session }) }],
    ["user", call.user && { text: call.user, href: link("calls", { user: exactly(call.user) }) }],
    ["project", call.project && { text: call.project, href: link("calls", { project: exactly(call.project) }) }],
    ["folder", call.folder !== call.project && call.folder],
    ["team", call.team], ["sub-agent", call.agent], ["feature", call.feature], ["organisation", call.org],
    ["counts", call.fidelity],
    ["guesses", call.guesses.map(words).join(", ")],
    ["prompt", `${number(call.prompt_tokens)} tokens, ${call.above === null ? "usual rates" : `above ${number(call.above)}`}, ${words(call.service)} service`],
    ["stated cost", call.quoted_usd !== null && `$${call.quoted_usd}`],
    ["log", call.place && `${call.place.file}${call.place.line === null ? `, byte ${number(call.place.byte)}` : `:${call.place.line}`}`],
  ].filter(([, value]) => value !== false));
}
