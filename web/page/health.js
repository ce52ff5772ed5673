// The view `Health`: the state of ledger and logs.

import { get } from "./api.js";
import { $, facts, table } from "./dom.js";
import { moment, number, plural } from "./format.js";

export async function update() {
  const health = await get("/api/v1/health");
  facts($("health-facts"), [
    ["state", health.ok ? "fine" : "needs attention"],
    ["ledger", [health.ledger, health.ledger_trouble].filter(Boolean).join(": ")],
    ["config", health.config_trouble ?? ""],
    ["changes seen by", health.watching],
    ["files", number(health.files)],
    ["bad lines", plural(health.bad_lines, "line")],
    ["no price for", health.unpriced_models.join(", ")],
    ["notes", health.notes.join(" · ")],
  ]);
  table($("sources"), [["place"], ["agent"], ["files", "n opt"], ["bad lines", "n opt"], ["last", "n opt2"], ["trouble"]],
    health.sources.map((source) => [{ text: source.path, className: "path" }, source.format ?? "–", number(source.files), number(source.bad_lines), source.last ? moment(source.last) : "–", source.trouble ?? ""]),
    "No log was found.");
}
