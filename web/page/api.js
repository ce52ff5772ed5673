// Questions to the server, and its stream of events.

export class Locked extends Error {}

const TOKEN = "tokmeter-token";
let token = sessionStorage.getItem(TOKEN) ?? "";

export function unlock(text) {
  token = text;
  sessionStorage.setItem(TOKEN, text);
}

const headers = () => (token ? { authorization: `Bearer ${token}` } : {});

// Amounts become text before they are parsed, because a JavaScript number cannot hold them. A quote inside of a name is
// escaped, so that only keys match.
const MONEY = /("[a-z_]*usd[a-z_]*":)(-?\d+(?:\.\d+)?)/g;
export const parse = (text) => JSON.parse(text.replace(MONEY, '$1"$2"'));

export async function get(path, params = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== "" && value !== undefined));
  const response = await fetch(query.size ? `${path}?${query}` : path, { headers: headers() });
  if (response.status === 401) throw new Locked();
  const answer = parse(await response.text());
  if (!response.ok) throw new Error(answer.error ?? `status ${response.status}`);
  return answer;
}

const sleep = (time) => new Promise((done) => setTimeout(done, time));

// Calls `take(name, data)` with every event, `state(text, kind)` with what happens to the connection, and `locked` once
// when a token is needed. EventSource cannot send a token; fetch can.
export async function listen(take, state, locked) {
  let last = "";
  for (let wait = 1000; ; wait = Math.min(30000, wait * 2)) {
    try {
      const response = await fetch("/api/v1/events", { headers: { ...headers(), ...(last && { "last-event-id": last }) } });
      if (response.status === 401) return locked();
      if (!response.ok) throw new Error(`status ${response.status}`);
      state("live", "live");
      wait = 1000;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const events = (rest + value).split("\n\n");
        rest = events.pop();
        for (const event of events) {
          const fields = new Map(event.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
          if (fields.get("id")) last = fields.get("id");
          if (fields.get("data")) take(fields.get("event"), parse(fields.get("data")));
        }
      }
    } catch {
      // The state below says so.
    }
    state("not connected; trying again", "off");
    await sleep(wait);
  }
}
