// The web page of `tokmeter serve`. Everything shown comes from /api/v1; text is only ever set as text.

const $ = (id) => document.getElementById(id);
const TOKEN = "tokmeter-token";
let token = sessionStorage.getItem(TOKEN) ?? "";

const headers = () => (token ? { authorization: `Bearer ${token}` } : {});

async function get(path) {
  const response = await fetch(path, { headers: headers() });
  if (response.status === 401) throw new Locked();
  if (!response.ok) throw new Error((await response.json()).error);
  return response.json();
}

class Locked extends Error {}

// Money arrives as decimal text with its mark; only its display is rounded.
function money(cell) {
  if (cell === null || cell === undefined) return "?";
  const text = String(cell);
  const mark = /^[^\d-]*/.exec(text)[0].replace("$", "");
  const value = Number(text.slice(text.search(/[\d-]/)));
  if (!Number.isFinite(value)) return text;
  const digits = Math.abs(value) >= 1 || value === 0 ? 2 : 4;
  return `${mark}$${value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

function cost(sums) {
  const marks = sums.unpriced_tokens > 0 || sums.lower_bound_calls > 0 ? "≥ " : sums.guessed_calls > 0 ? "~ " : "";
  if (sums.unpriced_tokens > 0 && sums.unpriced_tokens === (sums.tokens ?? sums.total_tokens)) return "?";
  return marks + money(sums.cost_usd);
}

const number = (value) => Number(value).toLocaleString("en-US");
let zone = "UTC";
const clock = (at, seconds = true) =>
  new Date(at).toLocaleTimeString("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", ...(seconds && { second: "2-digit" }) });
const day = (at) => new Date(at).toLocaleDateString("sv-SE", { timeZone: zone });
const short = (path) => (path ? path.replace(/[\\/]+$/, "").split(/[\\/]/).pop() : "");

function element(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function table(node, head, rows) {
  const top = element("tr");
  for (const [title, kind] of head) {
    const cell = element("th", title, kind);
    cell.scope = "col";
    top.append(cell);
  }
  const body = rows.map((row) => {
    const line = element("tr");
    row.forEach((value, at) => line.append(element("td", value?.text ?? value ?? "", value?.kind ?? head[at][1])));
    return line;
  });
  const thead = element("thead");
  thead.append(top);
  const tbody = element("tbody");
  tbody.append(...body);
  node.replaceChildren(thead, tbody);
}

// An amount of a limit: dollars, tokens, or both.
function amount({ usd, tokens, output_tokens }) {
  const parts = [];
  if (usd !== undefined) parts.push(money(usd));
  if (tokens !== undefined) parts.push(`${number(tokens)} tokens`);
  if (output_tokens !== undefined) parts.push(`${number(output_tokens)} output tokens`);
  return parts.join(", ");
}

function limits(all) {
  const bars = all.map((limit) => {
    const box = element("div", undefined, `limit ${limit.verdict}`);
    const line = element("p");
    const mark = limit.lower_bound ? "≥ " : limit.guessed ? "~ " : "";
    line.append(
      element("span", [limit.name, limit.subject].filter(Boolean).join(" · ")),
      element("span", `${mark}${amount(limit.used)} of ${amount(limit.allowed)}`),
      element("strong", `${mark}${limit.percent}%`),
    );
    const bar = element("div", undefined, "bar");
    const fill = element("i");
    fill.style.width = `${Math.min(100, Number(limit.percent))}%`;
    bar.append(fill);
    const times = [];
    const time = (at) => (day(at) === day(Date.now()) ? clock(at, false) : `${day(at).slice(5)} ${clock(at, false)}`);
    if (limit.reached_at) times.push(`full at ${time(limit.reached_at)}`);
    if (limit.resets_at) times.push(`resets ${time(limit.resets_at)}`);
    box.append(line, bar, element("p", times.join(" · "), "detail"));
    return box;
  });
  $("limits").replaceChildren(...(bars.length ? bars : [element("p", "none: tokmeter limits set day 25usd", "detail")]));
}

function show(summary) {
  zone = summary.zone;
  $("today").textContent = cost(summary.today);
  $("today-tokens").textContent = `${number(summary.today.tokens)} tokens in ${number(summary.today.calls)} calls`;
  $("rate").textContent = money(summary.cost_per_hour_usd);
  $("midnight").textContent = summary.by_day_end_usd === null ? "" : `${money(summary.by_day_end_usd)} by midnight at this pace`;
  $("week").textContent = cost(summary.week);
  $("week-tokens").textContent = `${number(summary.week.tokens)} tokens`;
  $("month").textContent = cost(summary.month);
  $("month-end").textContent = summary.by_month_end_usd === null ? "" : `${money(summary.by_month_end_usd)} by its end`;
  $("user").textContent = `${summary.user} · ${summary.zone}`;
  $("warning").hidden = !summary.warning;
  $("warning").textContent = summary.warning ?? "";
  limits(summary.limits);
  const running = summary.running.filter((line) => line.state !== "ended").flatMap((line) => [
    [short(line.project) || "–", line.source, line.model ?? "?", cost(line.today), `${money(line.cost_per_hour_usd)}/h`, clock(line.last), line.state],
    ...line.agents.map((agent) => [{ text: agent.name, kind: "sub" }, "sub-agent", "", cost(agent.today), `${money(agent.cost_per_hour_usd)}/h`, "", ""]),
  ]);
  table($("running"), [["project"], ["agent"], ["model"], ["today", "n"], ["per hour", "n"], ["last call"], ["state"]], running);
  table($("models"), [["model"], ["share", "n"], ["tokens", "n"], ["cost", "n"]],
    summary.models.map((line) => [line.model ?? "?", `${line.share}%`, number(line.today.tokens), cost(line.today)]));
  table($("calls"), [["time"], ["model"], ["project"], ["tokens", "n"], ["cost", "n"]],
    summary.calls.map((call) => [clock(call.at), call.model ?? "?", [short(call.project), call.agent].filter(Boolean).join("/"), number(call.tokens), money(call.cost_usd)]));
  document.title = `${cost(summary.today)} today · tokmeter`;
}

const SVG = "http://www.w3.org/2000/svg";
function svg(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

// Stacked bars: `columns` of {label, parts: [{series, value}]}, with gridlines in dollars.
function bars(node, columns, series) {
  const [width, height, left, bottom] = [Math.max(300, node.clientWidth), 200, 52, 20];
  const most = Math.max(0.0001, ...columns.map((column) => column.parts.reduce((sum, part) => sum + part.value, 0)));
  const step = 10 ** Math.floor(Math.log10(most)) * (most / 10 ** Math.floor(Math.log10(most)) > 5 ? 2 : most / 10 ** Math.floor(Math.log10(most)) > 2 ? 1 : 0.5);
  const top = Math.ceil(most / step) * step;
  const y = (value) => height - bottom - (value / top) * (height - bottom - 8);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  picture.append(svg("title", {}, columns.map((column) => `${column.label}: ${money(column.parts.reduce((sum, part) => sum + part.value, 0))}`).join(", ")));
  for (let value = 0; value <= top + step / 2; value += step) {
    picture.append(svg("line", { x1: left, x2: width, y1: y(value), y2: y(value) }),
      svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, money(value)));
  }
  const slot = (width - left) / Math.max(1, columns.length);
  const every = Math.ceil(58 / slot);
  columns.forEach((column, at) => {
    let base = 0;
    for (const part of column.parts) {
      const name = series.indexOf(part.series);
      const rect = svg("rect", { x: left + at * slot + 1, width: Math.max(1, slot - 2), y: y(base + part.value), height: Math.max(0, y(base) - y(base + part.value)), class: `c${Math.min(7, Math.max(0, name))}` });
      rect.append(svg("title", {}, `${column.label} ${part.series}: ${money(part.value)}`));
      picture.append(rect);
      base += part.value;
    }
    if (at % every === 0) picture.append(svg("text", { x: left + at * slot, y: height - 5 }, column.label));
  });
  node.replaceChildren(picture);
}

const dollars = (row) => Number(String(row.cost_usd ?? 0).replace(/^[^\d-]*/, "")) || 0;

async function history() {
  const days = await get("/api/v1/usage?period=day&by=model&since=29d");
  const byDay = new Map();
  const totals = new Map();
  for (const row of days.rows) {
    const model = row.model ?? "?";
    if (!byDay.has(row.day)) byDay.set(row.day, []);
    byDay.get(row.day).push({ series: model, value: dollars(row) });
    totals.set(model, (totals.get(model) ?? 0) + dollars(row));
  }
  const ranked = [...totals].sort((a, b) => b[1] - a[1]).map(([model]) => model);
  const rank = (part) => ranked.indexOf(part.series);
  const columns = Array.from({ length: 30 }, (_, at) => day(Date.now() - (29 - at) * 86400000)).map((name) => ({
    label: name.slice(5),
    parts: (byDay.get(name) ?? []).sort((a, b) => rank(a) - rank(b)),
  }));
  bars($("days"), columns, ranked);
  $("legend").replaceChildren(...ranked.slice(0, 8).map((model, at) => {
    const item = element("li");
    const square = svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" });
    square.append(svg("rect", { width: 10, height: 10, class: `c${at}` }));
    item.append(square, element("span", at === 7 && ranked.length > 8 ? "others" : model));
    return item;
  }));
  const hours = await get("/api/v1/usage?period=hour&since=24h");
  const byHour = new Map(hours.rows.map((row) => [Math.floor(Date.parse(row.hour) / 3600000), dollars(row)]));
  const first = Math.floor(Date.now() / 3600000) - 23;
  bars($("hours"), Array.from({ length: 24 }, (_, at) => ({
    label: clock((first + at) * 3600000, false),
    parts: [{ series: "all", value: byHour.get(first + at) ?? 0 }],
  })), ["all"]);
  await spend();
}

async function spend() {
  const by = $("by").value;
  const path = by === "session" ? "/api/v1/sessions?since=29d&order=desc&limit=50" : `/api/v1/usage?period=total&by=${by}&since=29d`;
  const { rows } = await get(path);
  const sorted = by === "session" ? rows : rows.sort((a, b) => dollars(b) - dollars(a));
  table($("spend"), [[by], ["calls", "n"], ["tokens", "n"], ["cost", "n"]],
    sorted.map((row) => [row[by] ?? "–", number(row.calls), number(row.total_tokens), cost(row)]));
}

function state(text, name) {
  $("state").textContent = text;
  $("state").className = name;
}

// EventSource cannot send a token; fetch can, and a stream is easily read.
async function listen() {
  let last = "";
  let wait = 1000;
  for (;;) {
    try {
      const response = await fetch("/api/v1/events", { headers: { ...headers(), ...(last && { "last-event-id": last }) } });
      if (response.status === 401) throw new Locked();
      if (!response.ok) throw new Error(`status ${response.status}`);
      state("live", "live");
      wait = 1000;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let buffer = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        buffer += value;
        const events = buffer.split("\n\n");
        buffer = events.pop();
        for (const event of events) {
          const fields = new Map(event.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
          if (fields.get("id")) last = fields.get("id");
          if (fields.get("data")) show(JSON.parse(fields.get("data")));
        }
      }
    } catch (error) {
      if (error instanceof Locked) return lock();
    }
    state("not connected; trying again", "off");
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(30000, wait * 2);
  }
}

function lock() {
  state("a token is needed", "off");
  $("login").hidden = false;
  $("main").hidden = true;
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value;
  sessionStorage.setItem(TOKEN, token);
  $("login").hidden = true;
  $("main").hidden = false;
  open();
});

const trouble = (error) => (error instanceof Locked ? undefined : state(error.message, "off"));

async function open() {
  try {
    // Days and hours are those of the meter's zone.
    show(await get("/api/v1/summary"));
    await history();
  } catch (error) {
    if (error instanceof Locked) return lock();
    trouble(error);
  }
  await listen();
}

$("by").addEventListener("change", () => spend().catch(trouble));
setInterval(() => document.visibilityState === "visible" && history().catch(trouble), 60000);
open();
