// Alerts are shown when they are raised, as text, and can be closed; those that were raised before are not shown again.

const fs = require("node:fs");
const { base, check, go, open, run } = require("./browser.cjs");

const book = (id, tokens) => {
  const line = { id, at: new Date().toISOString(), model: "claude-opus-5", user: "<b>bob</b>", session: "s", input_tokens: tokens, output_tokens: 0 };
  fs.appendFileSync(process.env.LOG, `${JSON.stringify(line)}\n`);
};

run(async (browser) => {
  const page = await open(browser, {});
  await go(page, "#/");
  check((await page.locator("#alerts li").count()) === 0, "no alert at first");
  book("near", 850);
  const near = page.locator("#alerts li.near");
  await near.waitFor({ timeout: 10_000 });
  const text = await near.textContent();
  check(/^85% of <b>bob<\/b> daily limit used/.test(text), `the alert names the limit as text: ${text}`);
  check((await page.locator("#alerts b").count()) === 0, "no markup");
  book("over", 200);
  const over = page.locator("#alerts li.over");
  await over.waitFor({ timeout: 10_000 });
  check(/limit reached/.test(await over.textContent()), `it is reached: ${await over.textContent()}`);
  const box = await over.boundingBox();
  check(box.width > 0 && box.x >= 0 && box.x + box.width <= 1440, `it is in view: ${JSON.stringify(box)}`);
  // The log of alerts is announced to those who do not see it.
  check((await page.locator("#alerts").getAttribute("role")) === "log", "alerts are announced");
  await over.getByRole("button", { name: "Close alert" }).click();
  check((await page.locator("#alerts li.over").count()) === 0, "an alert can be closed");
  check((await near.count()) === 1, "the other one stays");
  // Another page shows later alerts, not earlier ones.
  const other = await open(browser, {});
  await other.goto(`${base}/`);
  await other.waitForFunction(() => document.getElementById("state").textContent === "live");
  book("more", 1);
  await other.waitForFunction(() => /in 3 calls/.test(document.getElementById("today-detail").textContent), { timeout: 10_000 });
  check((await other.locator("#alerts li").count()) === 0, "what was raised before is not shown again");
});
