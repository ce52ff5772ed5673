// Time from a line in a log to its number on the page: the median of a hundred.

const fs = require("node:fs");
const { check, go, open, run } = require("./browser.cjs");

const TIMES = 100;
const MOST = 150;

run(async (browser) => {
  const page = await open(browser, {});
  await go(page, "#/");
  await page.evaluate(() => {
    window.seen = new Map();
    const node = document.getElementById("today-detail");
    new MutationObserver(() => {
      const calls = /in ([\d,]+) call/.exec(node.textContent)?.[1];
      if (calls && !window.seen.has(calls)) window.seen.set(calls, Date.now());
    }).observe(node, { childList: true, characterData: true, subtree: true });
  });
  const calls = async () => Number((await page.locator("#today-detail").textContent()).match(/in ([\d,]+) call/)[1].replaceAll(",", ""));
  const first = await calls();
  const took = [];
  for (let at = 1; at <= TIMES; at += 1) {
    const line = JSON.stringify({ id: `late-${at}`, at: new Date().toISOString(), model: "claude-opus-5", session: "late", input_tokens: 100, output_tokens: 10 });
    const wrote = Date.now();
    fs.appendFileSync(process.env.LOG, `${line}\n`);
    const wanted = (first + at).toLocaleString("en-US");
    const seen = await page.waitForFunction((wanted) => window.seen.get(wanted), wanted, { polling: 20, timeout: 10_000 });
    took.push((await seen.jsonValue()) - wrote);
    // The writer does not wait for the page.
    await page.waitForTimeout((at * 37) % 130);
  }
  took.sort((a, b) => a - b);
  const median = took[TIMES / 2];
  console.log(`append to page: median ${median} ms, 95th ${took[Math.floor(TIMES * 0.95)]} ms, most ${took.at(-1)} ms`);
  check(median < MOST, `the median is ${median} ms`);
});
