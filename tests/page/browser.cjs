// Shared by the scripts of this folder: a browser, a page that records forbidden actions, and checks.

const { chromium } = require("playwright-core");

const base = process.env.URL;
const problems = [];

exports.base = base;
exports.check = (holds, words) => {
  if (!holds) problems.push(words);
};

// Runs `test(browser)`; every problem found is printed, and the exit code says whether there was one.
exports.run = async (test) => {
  const browser = await chromium.launch({ executablePath: process.env.BROWSER, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  try {
    await test(browser);
  } catch (error) {
    problems.push(error.stack);
  } finally {
    await browser.close();
  }
  for (const problem of problems) console.error(problem);
  process.exit(problems.length ? 1 : 0);
};

// A page at this width. Errors, dialogs, and requests to elsewhere are problems.
exports.open = async (browser, { width = 1440, height = 900, theme = "light", name = "" } = {}) => {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, reducedMotion: "reduce" });
  const page = await context.newPage();
  const fault = (words) => problems.push(`${name} ${page.url()}: ${words}`);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && !/status of 401/.test(message.text()) && fault(message.text()));
  page.on("pageerror", (error) => fault(error.stack));
  page.on("dialog", (dialog) => {
    fault(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => !request.url().startsWith(`${base}/`) && !request.url().startsWith("data:") && fault(`asks ${request.url()}`));
  await page.addInitScript(() => {
    window.shifts = 0;
    window.shifted = new Set();
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        if (entry.hadRecentInput) continue;
        window.shifts += entry.value;
        for (const { node } of entry.sources) window.shifted.add(node?.id || node?.className || node?.nodeName);
      }
    }).observe({ type: "layout-shift", buffered: true });
    document.addEventListener("securitypolicyviolation", (event) => console.error(`refused by policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  return page;
};

// Goes to a view and waits until it has its answers.
exports.go = async (page, hash) => {
  if (page.url().startsWith(base)) await page.evaluate((hash) => { location.hash = hash; }, hash);
  else await page.goto(`${base}/${hash}`);
  await page.waitForFunction((hash) => (document.getElementById("main").dataset.shown || "#/") === hash, hash);
  await page.waitForFunction(() => document.getElementById("state").textContent === "live");
};
