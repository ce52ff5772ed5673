// What the page computes by itself equals what the terminal shows, and a malformed address stops nothing.

const { check, go, open, run } = require("./browser.cjs");

run(async (browser) => {
  const page = await open(browser, {});
  const same = (found, expected, words) => check(JSON.stringify(found) === JSON.stringify(expected), `${words}: ${JSON.stringify(found)}`);
  await go(page, "#/now/%");
  await go(page, "#/history");
  const counts = [0, 950, 1000, 1250, 1350, 9949, 9951, 98220, 999499, 999501, 1200000];
  const shown = await page.evaluate(async (counts) => {
    const { compact } = await import("/page/format.js");
    return counts.map(compact);
  }, counts);
  same(shown, ["0", "950", "1k", "1.2k", "1.4k", "9.9k", "10k", "98k", "999k", "1M", "1.2M"], "counts");

  // The bars and their sum are of the same hours and days.
  const sums = await page.evaluate(async () => {
    const { hours } = await import("/page/now.js");
    const { columns, total } = await hours(48);
    const { day, later } = await import("/page/format.js");
    const first = later(day(Date.now()), 1 - Number(document.getElementById("span").value));
    const days = await (await fetch(`/api/v1/usage?period=day&since=${first}`)).json();
    return { hours: columns.length, calls: total.calls, first: days.rows[0]?.day >= first };
  });
  same([sums.hours, sums.first], [48, true], "columns");

  // A rate or a forecast without any price is not known, and one of zero is.
  const rates = await page.evaluate(async () => {
    const { usdAs } = await import("/page/money.js");
    const sums = { cost_usd: "2", unpriced_tokens: 3, lower_bound_calls: 0, guessed_calls: 0 };
    return [usdAs(null, { ...sums, cost_usd: null }), usdAs("0", sums), usdAs("1.5", sums)];
  });
  same(rates, ["?", "$0.00", "≥ $1.50"], "rates");

  const limit = { name: "kim daily", subject: "kim", used: { usd: null }, allowed: { usd: "25" }, percent: null, lower_bound: true, verdict: "under" };
  const quota = { source: "claude", window_minutes: 300, used_percent: "31", stale: true, stated_at: "2026-11-20T09:00:00Z" };
  const bars = await page.evaluate(async ([limit, quota]) => {
    const { limits } = await import("/page/limits.js");
    limits({ at: "2026-11-20T10:00:00Z", limits: [limit, { ...limit, used: { usd: "5" }, percent: 20 }, { ...limit, used: { usd: null, tokens: 7 }, allowed: { usd: "25", tokens: 70 }, percent: 10 }], provider_windows: [quota] });
    return [...document.querySelectorAll("#limits .limit")].map((box) => [box.querySelector("strong").textContent, box.textContent.includes("of $25.00") && box.textContent, box.querySelector("i").style.width]);
  }, [limit, quota]);
  same(bars.map(([percent, , width]) => [percent, width]), [["?", "0%"], ["≥ 20%", "20%"], ["≥ 10%", "10%"], ["?", "0%"]], "limits");
  check(bars[2][1].includes("?, 7 tokens of $25.00, 70 tokens"), bars[2][1]);
  check(bars[0][1].includes("? of $25.00") && !bars[0][1].includes("kim daily · kim"), bars[0][1]);
});
