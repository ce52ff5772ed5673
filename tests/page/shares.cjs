// Shares of a partly known cost are marked, and an unknown share is not a number.

const { check, go, open, run } = require("./browser.cjs");

run(async (browser) => {
  const page = await open(browser, {});
  const shares = (table) => page.evaluate((table) =>
    [...document.querySelectorAll(`${table} tbody .share`)].map((cell) => [cell.closest("tr").cells[0].textContent, cell.textContent]), table);
  const expected = [["claude-opus-5", "≤100%"], ["house-model", "?"]];
  for (const [hash, table] of [["#/", "#models"], ["#/spend/model", "#spend-table"]]) {
    await go(page, hash);
    const found = await shares(table);
    check(JSON.stringify(found.sort()) === JSON.stringify(expected), `${hash}: ${JSON.stringify(found)}`);
  }

  const bound = await page.evaluate(async () => {
    const { share } = await import("/page/money.js");
    return share(99, { cost_usd: "99.006", unpriced_tokens: 0 }, { cost_usd: "100", unpriced_tokens: 7 }).text;
  });
  check(bound === "≤100%", `a bound is rounded up: ${bound}`);

  // So are the days of the calendar and the charts, also where a log could not be read.
  await go(page, "#/history");
  const titles = await page.evaluate(() => [...document.querySelectorAll("#calendar a title")].map((title) => title.textContent));
  check(titles.length === 1 && /^\d{4}-\d\d-\d\d: ≥ \$0\.0\d+$/.test(titles[0]), `calendar: ${titles}`);
  const marked = await page.evaluate(async () => {
    const { bars, stacked } = await import("/page/chart.js");
    const { calendar } = await import("/page/calendar.js");
    const { cost } = await import("/page/money.js");
    const sums = { cost_usd: "2", unpriced_tokens: 0, lower_bound_calls: 0, guessed_calls: 0 };
    const of = (unread) => {
      const { series, parts } = stacked([{ ...sums, model: "a", day: "x" }], "day", unread);
      const node = document.createElement("div");
      bars(node, [{ label: "x", name: "x", parts: parts.get("x") }], series, sums, unread);
      return [parts.get("x")[0].text, node.querySelector(".said").textContent];
    };
    const box = document.createElement("div");
    calendar(box, "2026-11-20", new Map([["2026-11-19", { amount: 0n, text: cost({ ...sums, cost_usd: null }) }]]), {});
    return [of(undefined), of(1), box.querySelector("a title").textContent];
  });
  const signs = [["$2.00", "$2.00 in all"], ["≥ $2.00", "≥ $2.00 in all"], "2026-11-19: ?"];
  check(JSON.stringify(marked) === JSON.stringify(signs), `marks: ${JSON.stringify(marked)}`);

  // A call has the mark that it has in the list.
  const guess = await page.evaluate(async () => {
    const { rows } = await (await fetch("/api/v1/calls")).json();
    return rows.find((row) => row.guessed_calls).key;
  });
  await go(page, `#/call/${guess}`);
  const shown = await page.evaluate(() => document.getElementById("call-cost").textContent);
  check(/^~ \$/.test(shown), `a guess: ${shown}`);
});
