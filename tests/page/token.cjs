// The page asks for the token, and keeps it for this tab only.

const { base, check, open, run } = require("./browser.cjs");

run(async (browser) => {
  const page = await open(browser, {});
  await page.goto(base);
  await page.locator("#token").waitFor({ state: "visible" });
  await page.locator("#token").fill("not the token, alas");
  await page.keyboard.press("Enter");
  await page.locator("#token").waitFor({ state: "visible" });
  check((await page.locator("#today").textContent()) === "–", "nothing is shown without the token");
  await page.locator("#token").fill(process.env.TOKEN);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("state").textContent === "live");
  check(/\$/.test(await page.locator("#today").textContent()), "the numbers are shown");
  check(!page.url().includes(process.env.TOKEN), "the token is not in the address");
  check(!(await page.evaluate(() => JSON.stringify(localStorage))).includes(process.env.TOKEN), "the token is not stored for good");
});
