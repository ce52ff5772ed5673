// Meter the calls of a Node program: ask before each call, record after it.
//
// Needs nothing but Node 18. With a running tokmeter it talks to its socket; without one, limits are asked of the
// `tokmeter` command and calls are appended to the usage log. A meter that is not there never stops the program.

import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, mkdir } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const PATIENCE = 200; // milliseconds to wait for the meter

export class OverBudget extends Error {}

export class Meter {
  /** Names (user, team, project, agent, feature, session) go with every call made through it. */
  constructor({ budgetUsd, socketPath = defaultSocket(), ...names } = {}) {
    this.names = { session: randomUUID(), ...names };
    this.budgetUsd = budgetUsd;
    this.spentUsd = 0;
    this.socketPath = socketPath;
  }

  /** Rejects with OverBudget when the next call may not be made. */
  async check(names = {}) {
    if (this.budgetUsd !== undefined && this.spentUsd >= this.budgetUsd) {
      throw new OverBudget(`budget spent: $${this.spentUsd.toFixed(2)} of $${this.budgetUsd.toFixed(2)}`);
    }
    const all = { ...this.names, ...names };
    const answer = (await this.#ask({ query: "gate", ...all })) ?? (await gateCommand(all));
    if (answer.allowed === false) throw new OverBudget(answer.reason ?? "a limit is reached");
  }

  /** Books one call: { model, input_tokens, output_tokens }, or { model, usage } as the API gave it. */
  async record(call) {
    const line = { id: randomUUID(), at: new Date().toISOString(), ...this.names, ...call };
    let answer = await this.#ask(line);
    if (!answer?.ok) answer = await append(line);
    this.spentUsd += answer.cost_usd ?? 0;
    return answer;
  }

  /** Middleware: gives back `call`, metered. It must resolve to an API's response with `usage` and `model`. */
  wrap(call, names = {}) {
    return async (...args) => {
      await this.check(names);
      const response = await call(...args);
      if (response?.usage) await this.record({ model: response.model, ...names, usage: response.usage });
      return response;
    };
  }

  /** The meter's answer; null when nobody answers in time. */
  #ask(line) {
    return new Promise((resolve) => {
      let text = "";
      const meter = net.createConnection(this.socketPath);
      const done = (answer) => {
        meter.destroy();
        resolve(answer);
      };
      meter.setTimeout(PATIENCE, () => done(null));
      meter.on("error", () => done(null));
      meter.on("end", () => done(null));
      meter.on("connect", () => meter.write(JSON.stringify(line) + "\n"));
      meter.on("data", (chunk) => {
        text += chunk;
        if (!text.includes("\n")) return;
        try {
          done(JSON.parse(text));
        } catch {
          done(null);
        }
      });
    });
  }
}

/** Asks the command; exit code 2 is its only no. */
function gateCommand(names) {
  const known = ["user", "model", "project", "team", "agent", "feature", "session"];
  const words = known.filter((name) => names[name]).map((name) => `--${name}=${names[name]}`);
  return new Promise((resolve) => {
    const asked = execFile("tokmeter", ["gate", ...words], { timeout: 5000 }, (error, _, stderr) =>
      resolve({ allowed: error?.code !== 2, reason: stderr.trim() }),
    );
    asked.stdin?.end();
  });
}

/** Appends to the usage log in one write, for its owner only. */
async function append(line) {
  const folder = dataFolder();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await appendFile(path.join(folder, "usage.jsonl"), JSON.stringify(line) + "\n", { mode: 0o600 });
  return { ok: true, cost_usd: null };
}

function defaultSocket() {
  const uid = os.userInfo().uid;
  if (process.env.TOKMETER_SOCKET) return process.env.TOKMETER_SOCKET;
  const own = path.join(process.env.XDG_RUNTIME_DIR || `/run/user/${uid}`, "tokmeter.sock");
  return existsSync(own) ? own : `/tmp/tokmeter-${uid}/tokmeter.sock`;
}

function dataFolder() {
  if (process.env.TOKMETER_DATA_DIR) return process.env.TOKMETER_DATA_DIR;
  if (process.platform === "darwin") return path.join(os.homedir(), "Library/Application Support/tokmeter");
  return path.join(process.env.XDG_DATA_HOME || path.join(os.homedir(), ".local/share"), "tokmeter");
}
