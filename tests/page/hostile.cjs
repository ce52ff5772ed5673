// Names that are markup stay text.

const { check, go, open, run } = require("./browser.cjs");

run(async (browser) => {
  const page = await open(browser, {});
  await go(page, "#/");
  const call = await page.locator("#latest tbody a").first().getAttribute("href");
  const views = { "#/": ["model"], "#/history": ["model"], "#/sessions": ["user", "project"], "#/calls": ["model", "user", "agent"], [call]: ["model", "user", "session", "team", "org", "feature"], "#/health": [] };
  for (const by of ["user", "team", "project", "agent", "model", "feature", "org"]) views[`#/spend/${by}`] = [by];
  for (const [hash, names] of Object.entries(views)) {
    await go(page, hash);
    const { text, elements, hacked } = await page.evaluate(() => ({
      text: document.querySelector(".view:not([hidden])").textContent,
      elements: document.querySelectorAll("img, b, script:not([src])").length,
      hacked: window.hacked,
    }));
    for (const name of names) check(text.includes(`${name} <img src=x onerror="window.hacked=1">`), `${hash}: no ${name} in ${text}`);
    check(elements === 0 && hacked === undefined, `${hash}: ${elements} elements, hacked ${hacked}`);
  }
  // A link with such a name leads to the calls that have it.
  await go(page, "#/spend/user");
  await page.locator("#spend-table tbody a").first().click();
  await page.waitForFunction(() => document.querySelectorAll("#calls-table tbody tr").length === 3);
});
