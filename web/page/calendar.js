// A year of days as a grid of weeks, darker or brighter where more was spent.

import { element, link, svg } from "./dom.js";
import { later } from "./format.js";

const LEFT = 30;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// Draws the weeks up to `today`; `days` has the amount of each day that has calls, and its text.
export function calendar(box, today, days, params) {
  const amounts = [...days.values()].map(({ amount }) => amount).filter((value) => value > 0n).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const quartiles = [0.25, 0.5, 0.75].map((part) => amounts[Math.floor(part * amounts.length)] ?? 0n);
  const level = (value) => (value <= 0n ? 0 : 1 + quartiles.filter((edge) => value > edge).length);
  // As large as the window allows, but at least 13 pixels, so that a day can be tapped.
  const cell = Math.max(13, Math.min(22, Math.floor((box.clientWidth - LEFT) / 53)));
  const weekday = (new Date(`${today}T00:00:00Z`).getUTCDay() + 6) % 7;
  const weeks = 53;
  const first = later(today, -(weeks - 1) * 7 - weekday);
  const picture = svg("svg", { width: LEFT + weeks * cell, height: 7 * cell + 18, "aria-hidden": "true" });
  ["Mon", "Wed", "Fri"].forEach((name, at) => picture.append(svg("text", { x: 0, y: 18 + (2 * at + 1) * cell - 3 }, name)));
  let month = "";
  for (let week = 0; week < weeks; week += 1) {
    const monday = later(first, week * 7);
    if (monday.slice(0, 7) !== month && (month || Number(monday.slice(8)) <= 7) && week < weeks - 1) {
      picture.append(svg("text", { x: LEFT + week * cell, y: 10 }, MONTHS[Number(monday.slice(5, 7)) - 1]));
    }
    month = monday.slice(0, 7);
    for (let date = 0; date < 7; date += 1) {
      const day = later(monday, date);
      if (day > today) break;
      const spent = days.get(day);
      const square = svg("rect", { x: LEFT + week * cell, y: 16 + date * cell, width: cell - 2, height: cell - 2, rx: 2, class: `l${spent ? Math.max(1, level(spent.amount)) : 0}` });
      square.append(svg("title", {}, spent ? `${day}: ${spent.text}` : `${day}: no calls`));
      // Keyboard users use the table below.
      const anchor = spent ? svg("a", { href: link("calls", { ...params, since: day, until: day }), tabindex: -1 }) : square;
      if (anchor !== square) anchor.append(square);
      picture.append(anchor);
    }
  }
  const wrap = box.firstElementChild ?? element("div", undefined, "weeks");
  wrap.replaceChildren(picture);
  box.setAttribute("aria-label", `Calendar of ${days.size} days with calls; the table below has each of them`);
  if (!wrap.isConnected) {
    box.replaceChildren(wrap);
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    // Scroll to the newest week.
    requestAnimationFrame(() => { box.scrollLeft = box.scrollWidth; });
  }
}
