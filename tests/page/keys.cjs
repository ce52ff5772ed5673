// Keys, the readout of a chart, the themes, and the arithmetic of a call.

const { check, go, open, run } = require("./browser.cjs");

const shown = (page, id) => page.waitForFunction((id) => !document.getElementById(id).hidden, id, { timeout: 5000 });

run(async (browser) => {
  const page = await open(browser, {});
  await go(page, "#/");
  for (const [key, id] of [["2", "history"], ["3", "spend"], ["4", "sessions"], ["5", "calls"], ["6", "health"], ["1", "now"]]) {
    await page.keyboard.press(key);
    await shown(page, id);
  }
  await page.keyboard.press("?");
  check(await page.locator("#help").evaluate((help) => help.open), "? opens the keys");
  await page.keyboard.press("Escape");
  check(!(await page.locator("#help").evaluate((help) => help.open)), "Esc closes them");
  // Until the next frame the focus is still in the closed dialog.
  const isTaken = await page.evaluate(() => {
    const before = document.documentElement.dataset.theme;
    const press = () => document.querySelector("#help *").dispatchEvent(new KeyboardEvent("keydown", { key: "t", bubbles: true }));
    press();
    const after = document.documentElement.dataset.theme;
    [1, 2].forEach(press);
    return before !== after && before === document.documentElement.dataset.theme;
  });
  check(isTaken, "a key after the dialog is taken");
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  const seen = [await theme()];
  for (let times = 0; times < 3; times += 1) {
    await page.keyboard.press("t");
    seen.push(await theme());
  }
  check(seen.join() === "auto,dark,light,auto", `themes: ${seen}`);
  await page.keyboard.press("t");
  await page.reload();
  check((await theme()) === "dark", "the theme is kept");
  // A chart says its columns.
  await go(page, "#/history");
  await page.locator("#days .plot").focus();
  await page.keyboard.press("ArrowLeft");
  const said = await page.locator("#days .said").textContent();
  check(/^\d{4}-\d\d-\d\d: (≥ )?\$/.test(said), `the newest day is said: ${said}`);
  // From the list into a call and back, by keys alone.
  await go(page, "#/calls");
  const { key, buckets, tokens_usd: total } = JSON.parse(process.env.CALL.replace(/("[a-z_]*usd[a-z_]*":)(-?[\d.]+)/g, '$1"$2"'));
  await page.locator("main").focus();
  await page.keyboard.press("ArrowDown");
  check(await page.evaluate(() => document.activeElement.closest("#calls-table") !== null), "↓ goes into the table");
  await page.keyboard.press("Enter");
  await shown(page, "call");
  await page.keyboard.press("Backspace");
  await shown(page, "calls");
  await go(page, `#/call/${key}`);
  const sum = await page.locator("#sum").textContent();
  for (const bucket of buckets) check(sum.includes(`$${bucket.usd}`), `${bucket.class} is $${bucket.usd} in ${sum}`);
  check(sum.includes(`$${total}`), `the sum is $${total} in ${sum}`);
  await go(page, "#/calls");
  // A refreshed table keeps the focus.
  await page.locator("#calls-table tbody a").nth(3).focus();
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.waitForTimeout(300);
  check(await page.evaluate(() => document.activeElement.closest("#calls-table") !== null), "a refresh keeps the focus");
});
