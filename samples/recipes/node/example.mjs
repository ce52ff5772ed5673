// Calls a made-up model until a limit stops it. `tokmeter limits set session '1000 tokens'` sets one.

import { Meter, OverBudget } from "./tokmeter.mjs";

const meter = new Meter({ user: "alice", feature: "example", session: "node-example" });
const ask = meter.wrap(
  async (question) => ({ model: "dollar", answer: question.toUpperCase(), usage: { input_tokens: 0, output_tokens: 300 } }),
  { model: "dollar" },
);

let calls = 0;
try {
  for (; calls < 100; calls++) await ask("how much is this?");
  console.log(`never stopped: ${calls} calls`);
} catch (why) {
  if (!(why instanceof OverBudget)) throw why;
  console.log(`stopped after ${calls} calls: ${why.message}`);
}
