// Elements and tables. Text is only ever set as text; a table that is drawn again keeps its cells, and with them the
// focus and the scroll position.

export const $ = (id) => document.getElementById(id);

export function element(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

const SVG = "http://www.w3.org/2000/svg";
export function svg(name, attributes = {}, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

export function say(id, text) {
  const node = $(id);
  if (node.textContent !== text) node.textContent = text;
}

// A link within the page: `link("calls", { user: "alice" })`.
export function link(view, params = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== ""));
  return `#/${view}${query.size ? `?${query}` : ""}`;
}

function fill(cell, value, kind) {
  const { text, href, share, title, className } = typeof value === "object" && value !== null ? value : { text: value };
  const words = String(text ?? "");
  const names = [kind, className].filter(Boolean).join(" ");
  if (cell.className !== names) cell.className = names;
  let holder = cell;
  if (href) {
    holder = cell.querySelector("a") ?? element("a");
    if (holder.getAttribute("href") !== href) holder.setAttribute("href", href);
    if (holder.parentNode !== cell) cell.replaceChildren(holder);
  } else if (cell.firstElementChild) cell.replaceChildren();
  if (holder.textContent !== words) holder.textContent = words;
  if (title) cell.title = title;
  else cell.removeAttribute("title");
  if (share !== undefined) cell.style.setProperty("--share", `${share}%`);
}

// A table of `columns` [title, kind] in a scrolling box; a kind is `n` for numbers, `opt` or `opt2` for what a narrow
// window leaves out.
export function table(box, columns, rows, empty = "nothing yet") {
  let node = box.querySelector("table");
  if (!node) {
    node = element("table");
    node.append(element("thead"), element("tbody"));
    box.replaceChildren(node, element("p", empty, "detail empty"));
    // A box that scrolls can be scrolled by keyboard.
    new ResizeObserver(() => {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }).observe(node);
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", box.closest("section")?.querySelector("h2")?.firstChild?.textContent?.trim() || "Table");
  }
  box.querySelector(".empty").hidden = rows.length > 0;
  node.hidden = rows.length === 0;
  const [head, body] = [node.tHead, node.tBodies[0]];
  const titles = columns.map(([title]) => title).join("\n");
  if (head.dataset.titles !== titles) {
    head.dataset.titles = titles;
    const line = element("tr");
    for (const [title, kind] of columns) {
      const cell = element("th", title, kind);
      cell.scope = "col";
      line.append(cell);
    }
    head.replaceChildren(line);
    body.replaceChildren();
  }
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((row, at) => {
    const line = body.rows[at] ?? body.insertRow();
    row.forEach((value, column) => fill(line.cells[column] ?? line.insertCell(), value, columns[column][1] ?? ""));
  });
}

// Terms with their descriptions.
export function facts(node, pairs) {
  node.replaceChildren(...pairs.filter(([, value]) => value !== undefined && value !== null && value !== "").flatMap(([name, value]) => {
    const description = element("dd");
    if (value.href) {
      const anchor = element("a", value.text);
      anchor.href = value.href;
      description.append(anchor);
    } else description.textContent = value.text ?? value;
    return [element("dt", name), description];
  }));
}
