// The web page of `tokmeter serve`: follows the events and shows the view that the address names.

import { alert } from "./alerts.js";
import { Locked, get, listen, unlock } from "./api.js";
import * as call from "./call.js";
import { $ } from "./dom.js";
import { useZone } from "./format.js";
import * as health from "./health.js";
import * as history from "./history.js";
import { keys } from "./keys.js";
import { calls, more, sessions } from "./lists.js";
import { cost } from "./money.js";
import * as now from "./now.js";
import * as spend from "./spend.js";

const VIEWS = { now: now.update, history: history.update, spend: spend.update, sessions, calls, call: call.update, health: health.update };
// Shortest time between two refreshes of what the events do not hold, and the longest.
const PACE = 2000;
const REST = 60_000;

let summary;

function state(text, kind) {
  $("state").textContent = text;
  $("state").className = kind;
}

// A malformed part of an address names nothing that exists.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// The address: view, its argument and its parameters.
function address() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, arg] = path.split("/");
  const view = Object.hasOwn(VIEWS, name) ? name : "now";
  return { view, arg: arg && decoded(arg), params: Object.fromEntries(new URLSearchParams(query)) };
}

function lock() {
  state("a token is needed", "off");
  $("login").hidden = false;
  $("main").hidden = true;
}

// Refreshes the view, one question at a time.
let refreshing = false;
let again = false;
let refreshed = 0;
async function refresh() {
  if (refreshing) {
    again = true;
    return;
  }
  refreshing = true;
  const { view, arg, params } = address();
  const main = $("main");
  try {
    await VIEWS[view](arg, params);
    if (main.dataset.failed) {
      delete main.dataset.failed;
      warn();
    }
  } catch (error) {
    if (error instanceof Locked) lock();
    else {
      main.dataset.failed = "true";
      warn(error.message);
    }
  }
  // A view is seen once it has something to show, so that nothing jumps.
  $(view).dataset.ready = "true";
  main.dataset.shown = location.hash;
  refreshed = Date.now();
  refreshing = false;
  if (again) {
    again = false;
    await refresh();
  }
}

function warn(message = summary?.warning) {
  $("warning").hidden = !message;
  $("warning").textContent = message ?? "";
}

let due;
function soon() {
  if (due || document.visibilityState !== "visible") return;
  due = setTimeout(() => {
    due = undefined;
    refresh();
  }, Math.max(0, refreshed + PACE - Date.now()));
}

function route() {
  const { view } = address();
  for (const node of document.querySelectorAll(".view")) node.hidden = node.id !== view;
  for (const anchor of document.querySelectorAll("header nav a")) {
    const isCurrent = anchor.dataset.view === view || (view === "call" && anchor.dataset.view === "calls");
    if (isCurrent) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
  return refresh();
}

function take(name, data) {
  if (name === "alert") return alert(data);
  const before = summary;
  summary = data;
  useZone(summary.zone);
  now.event(summary);
  document.title = `${cost(summary.today)} today · tokmeter`;
  $("user").textContent = `${summary.user} · ${summary.zone}`;
  if (!$("main").dataset.failed) warn();
  if (before && JSON.stringify([before.today, before.month, before.calls[0]]) !== JSON.stringify([summary.today, summary.month, summary.calls[0]])) soon();
}

async function open() {
  $("login").hidden = true;
  $("main").hidden = false;
  try {
    // Days and hours are those of the meter's zone.
    take("summary", await get("/api/v1/summary"));
  } catch (error) {
    if (error instanceof Locked) return lock();
    warn(error.message);
  }
  await route();
  await listen(take, state, lock);
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  unlock($("token").value);
  open();
});
$("more").addEventListener("click", () => {
  more();
  refresh();
});
for (const id of ["span", "spend-since"]) $(id).addEventListener("change", refresh);
addEventListener("hashchange", () => {
  scrollTo(0, 0);
  route();
});
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
setInterval(() => document.visibilityState === "visible" && refresh(), REST);
keys();
open();
