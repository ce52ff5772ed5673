// Every view, in both themes, at three widths: no error, no shift, no overflow, no serious finding of axe. Pictures of
// all of them are in $OUT.

const fs = require("node:fs");
const path = require("node:path");
const axe = require("axe-core");
const { check, go, open, run } = require("./browser.cjs");

const out = process.env.OUT;
const WIDTHS = [320, 768, 1440];

run(async (browser) => {
  fs.mkdirSync(out, { recursive: true });
  for (const theme of ["light", "dark"]) {
    for (const width of WIDTHS) {
      const page = await open(browser, { width, height: width < 500 ? 700 : 900, theme, name: `${theme} ${width}` });
      await go(page, "#/");
      const call = await page.locator("#latest tbody a").first().getAttribute("href");
      const views = { now: "#/", history: "#/history", spend: "#/spend/user", models: "#/spend/model", sessions: "#/sessions", calls: "#/calls", filtered: "#/calls?user=alice&since=6d", call, health: "#/health" };
      for (const [name, hash] of Object.entries(views)) {
        const at = `${name}, ${theme}, ${width}`;
        await go(page, hash);
        const seen = await page.evaluate(() => ({
          wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
          shown: [...document.querySelectorAll(".view:not([hidden])")].length,
          empty: [...document.querySelectorAll(".view:not([hidden]) .chart svg")].filter((chart) => chart.querySelectorAll("rect:not(.slot)").length === 0).length,
          warning: document.getElementById("warning").hidden ? "" : document.getElementById("warning").textContent,
          shifts: window.shifts,
          shifted: [...window.shifted].join(),
        }));
        check(seen.wide <= 0, `${at}: the page is ${seen.wide} px too wide`);
        check(seen.shown === 1, `${at}: ${seen.shown} views are shown`);
        check(seen.empty === 0, `${at}: ${seen.empty} charts are empty`);
        check(seen.warning === "", `${at}: warns ${seen.warning}`);
        check(seen.shifts < 0.05, `${at}: the layout shifted by ${seen.shifts}: ${seen.shifted}`);
        await page.evaluate(() => { window.shifts = 0; window.shifted.clear(); });
        // The layout between the two differs in columns only.
        if (width !== 768) await page.evaluate(axe.source);
        const { violations } = width === 768 ? { violations: [] } : await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        for (const { id, impact, help, nodes } of violations) {
          if (["serious", "critical"].includes(impact)) check(false, `${at}: ${id}, ${help}: ${nodes.map((node) => node.html).slice(0, 3).join(" ")}`);
        }
        await page.screenshot({ path: path.join(out, `${name}-${theme}-${width}.png`), fullPage: true });
      }
      await page.context().close();
    }
    if (process.env.TOKMETER_PICTURES) {
      const page = await open(browser, { width: 1100, height: 720, theme });
      const folder = path.join(__dirname, "../../docs/pictures");
      for (const [name, hash] of [["now", "#/"], ["history", "#/history"]]) {
        await go(page, hash);
        await page.screenshot({ path: path.join(folder, `page-${name}-${theme}.png`) });
      }
    }
  }
});
