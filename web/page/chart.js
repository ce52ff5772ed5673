// Stacked bars. The line below names the column under the pointer, or the one chosen with the arrow keys.

import { element, svg } from "./dom.js";
import { cost, height, pico, usd, usdShort } from "./money.js";

const LEFT = 52;
const BOTTOM = 20;
export const SERIES = 8;

const sum = (column) => column.parts.reduce((total, part) => total + part.value, 0n);

// The amount of a column with the mark of its weakest part.
function amount(column) {
  const marks = column.parts.map((part) => part.text[0]);
  if (marks.length && marks.every((mark) => mark === "?")) return "?";
  return `${marks.some((mark) => "≥?".includes(mark)) ? "≥ " : marks.includes("~") ? "~ " : ""}${usd(sum(column))}`;
}

// A step of the axis: 1, 2 or 5 times a power of ten, as a whole number of pico-dollars.
function step(most) {
  let unit = 10n ** BigInt(most.toString().length - 1);
  if (most / unit < 2n) unit /= 5n;
  else if (most / unit < 5n) unit /= 2n;
  return unit > 0n ? unit : 1n;
}

// Draws `columns` of {label, name, parts: [{series, value, text}]}; `series` gives the order of colours, `total` the
// sums of all, `unread` the number of logs that are missing in them.
export function bars(node, columns, series, total, unread) {
  let chart = node.chart;
  if (!chart) {
    chart = node.chart = { box: element("div", undefined, "plot"), said: element("p", undefined, "detail said"), at: -1 };
    chart.box.tabIndex = 0;
    chart.box.setAttribute("role", "img");
    chart.said.setAttribute("aria-live", "polite");
    node.replaceChildren(chart.box, chart.said);
    chart.box.addEventListener("pointermove", (event) => choose(chart, Math.floor((event.offsetX - LEFT) / chart.slot)));
    chart.box.addEventListener("pointerleave", () => choose(chart, -1));
    chart.box.addEventListener("blur", () => choose(chart, -1));
    chart.box.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const from = chart.at < 0 ? (by < 0 ? chart.columns.length : -1) : chart.at;
      choose(chart, Math.max(0, Math.min(chart.columns.length - 1, from + by)));
    });
    new ResizeObserver(() => draw(chart)).observe(chart.box);
  }
  Object.assign(chart, { columns, series });
  chart.total = `${cost(total, undefined, unread)} in all`;
  chart.box.setAttribute("aria-label", `Bar chart, ${columns.length} columns, ${chart.total}; arrow keys read them`);
  draw(chart);
  choose(chart, chart.at);
}

function choose(chart, at) {
  chart.at = at >= 0 && at < chart.columns.length ? at : -1;
  chart.marks?.forEach((mark, column) => mark.classList.toggle("chosen", column === chart.at));
  const column = chart.columns[chart.at];
  const words = column
    ? `${column.name}: ${amount(column)}${column.parts.length > 1 ? ` (${column.parts.slice(0, 4).map((part) => `${part.series} ${part.text}`).join(", ")}${column.parts.length > 4 ? ", …" : ""})` : ""}`
    : chart.total;
  if (chart.said.textContent !== words) chart.said.textContent = words;
}

function draw(chart) {
  const { box, columns, series } = chart;
  const [width, high] = [box.clientWidth, box.clientHeight];
  if (width === 0 || high === 0) return;
  const most = columns.reduce((most, column) => (sum(column) > most ? sum(column) : most), 1_000_000n);
  const unit = step(most);
  const top = ((most + unit - 1n) / unit) * unit;
  const y = (value) => high - BOTTOM - (height(value) / height(top)) * (high - BOTTOM - 8);
  const slot = (chart.slot = (width - LEFT) / Math.max(1, columns.length));
  const picture = svg("svg", { viewBox: `0 0 ${width} ${high}`, "aria-hidden": "true" });
  for (let value = 0n; value <= top; value += unit) {
    const line = Math.round(y(value)) + 0.5;
    picture.append(svg("line", { x1: LEFT, x2: width, y1: line, y2: line }), svg("text", { x: LEFT - 6, y: line + 4, "text-anchor": "end" }, usdShort(value)));
  }
  const every = Math.max(1, Math.ceil(46 / slot));
  const gap = slot > 6 ? 2 : slot > 3 ? 1 : 0;
  chart.marks = columns.map((column, at) => {
    const group = svg("g");
    group.append(svg("rect", { x: LEFT + at * slot, width: slot, y: 0, height: high - BOTTOM, class: "slot" }));
    let base = 0n;
    for (const part of column.parts) {
      if (part.value <= 0n) continue;
      const [low, up] = [y(base), y(base + part.value)];
      const colour = Math.min(SERIES - 1, Math.max(0, series.indexOf(part.series)));
      group.append(svg("rect", { x: LEFT + at * slot + gap / 2, width: Math.max(0.5, slot - gap), y: up, height: Math.max(0.5, low - up), class: `c${colour}` }));
      base += part.value;
    }
    // The newest column always has its name.
    if ((columns.length - 1 - at) % every === 0 && at * slot + 20 > 0) {
      group.append(svg("text", { x: Math.min(LEFT + (at + 0.5) * slot, width - 16), y: high - 5, "text-anchor": "middle" }, column.label));
    }
    picture.append(group);
    return group;
  });
  box.replaceChildren(picture);
}

// The names of the colours, most expensive first.
export function legend(node, series) {
  node.replaceChildren(...series.slice(0, SERIES).map((name, at) => {
    const item = element("li");
    const square = svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" });
    square.append(svg("rect", { width: 10, height: 10, class: `c${at}` }));
    item.append(square, element("span", at === SERIES - 1 && series.length > SERIES ? `${series.length - at} others` : name));
    return item;
  }));
}

// Rows of a report as parts of columns: the series by cost, and for each key the parts in that order.
export function stacked(rows, key, unread) {
  const totals = new Map();
  const parts = new Map();
  for (const row of rows) {
    const [name, value] = [row.model ?? "no model", pico(row.cost_usd)];
    totals.set(name, (totals.get(name) ?? 0n) + value);
    if (!parts.has(row[key])) parts.set(row[key], []);
    parts.get(row[key]).push({ series: name, value, text: cost(row, undefined, unread) });
  }
  const series = [...totals].sort(([, a], [, b]) => (a < b ? 1 : a > b ? -1 : 0)).map(([name]) => name);
  const rank = new Map(series.map((name, at) => [name, at]));
  for (const list of parts.values()) list.sort((a, b) => rank.get(a.series) - rank.get(b.series));
  return { series, parts };
}
