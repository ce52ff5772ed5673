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
});
