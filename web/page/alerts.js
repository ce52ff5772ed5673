// Alerts as they are raised, newest below.

import { $, element } from "./dom.js";

const KEPT = 4;
const SHOWN = 30_000;

export function alert({ title, body, threshold }) {
  const item = element("li", undefined, threshold >= 100 ? "over" : "near");
  const close = element("button", "×");
  close.type = "button";
  close.setAttribute("aria-label", "Close alert");
  close.addEventListener("click", () => item.remove());
  item.append(element("strong", title), element("span", body), close);
  $("alerts").append(item);
  while ($("alerts").childElementCount > KEPT) $("alerts").firstElementChild.remove();
  setTimeout(() => item.remove(), SHOWN);
}
