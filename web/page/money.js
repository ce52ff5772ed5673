// Dollars as whole pico-dollars (BigInt), exact as in the ledger, and their display as on the terminal.

const PICO = 1_000_000_000_000n;
const DECIMALS = 12;

// A decimal text as pico-dollars.
export function pico(text) {
  const parts = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(text ?? 0));
  if (!parts) return 0n;
  const [, sign, whole, fraction = ""] = parts;
  const amount = BigInt(whole) * PICO + BigInt(fraction.padEnd(DECIMALS, "0").slice(0, DECIMALS));
  return sign ? -amount : amount;
}

// For the height of a bar, never for text.
export const height = (amount) => Number(amount) / Number(PICO);

// Rounded half to even, in units of 10 to the power of -decimals.
function rounded(amount, decimals) {
  const cut = 10n ** BigInt(DECIMALS - decimals);
  const whole = amount / cut;
  const twice = (amount % cut) * 2n;
  return whole + (twice > cut || (twice === cut && whole % 2n === 1n) ? 1n : 0n);
}

const grouped = (digits) => digits.replace(/\B(?=(\d{3})+$)/g, ",");

function dollars(amount, digits) {
  const sign = amount < 0n ? "-" : "";
  const size = amount < 0n ? -amount : amount;
  if (size !== 0n && size < PICO / 1_000_000n) return `<${sign}$0.000001`;
  let decimals = 2;
  if (size !== 0n && size < PICO) {
    let leading = 0;
    for (let unit = PICO; size * 10n < unit; unit /= 10n) leading += 1;
    decimals = Math.min(6, Math.max(2, leading + digits));
  }
  const text = rounded(size, decimals).toString().padStart(decimals + 1, "0");
  const fraction = text.slice(-decimals).replace(/(?<=\d\d)0+$/, "");
  return `${sign}$${grouped(text.slice(0, -decimals))}.${fraction}`;
}

// A total, in cents: `$1,204.50`, `$0.034`. Never `$0.00` for an amount that is not zero.
export const usd = (amount) => dollars(amount, 2);

// One call: `$0.0721`.
export const usdFine = (amount) => dollars(amount, 3);

// For an axis: `$0.38`, `$12`, `$1.2k`.
export function usdShort(amount) {
  if (amount < 10n * PICO) return usd(amount);
  const whole = Number(rounded(amount, 0));
  if (whole < 1000) return `$${whole}`;
  const power = Math.min(3, Math.floor(Math.log10(whole) / 3));
  const scaled = whole / 1000 ** power;
  return `$${scaled < 10 ? scaled.toFixed(1).replace(/\.0$/, "") : Math.round(scaled)}${["", "k", "M", "G"][power]}`;
}

// The cost of some calls with its mark: `≥` may be more, `~` a guess, `?` unknown.
export function cost(sums, show = usd, unread = 0) {
  if (sums.cost_usd === null || sums.cost_usd === undefined) return "?";
  const mark = sums.unpriced_tokens > 0 || sums.lower_bound_calls > 0 || unread > 0 ? "≥ " : sums.guessed_calls > 0 ? "~ " : "";
  return mark + show(pico(sums.cost_usd));
}

// A share of a cost in whole per cent. Usage without a price makes it an upper bound, an estimate, or unknown.
export function share(percent, part, whole) {
  // Without any cost, tokens are compared.
  const isCost = pico(whole.cost_usd) > 0n;
  if (percent === null || (isCost && part.unpriced_tokens > 0 && !pico(part.cost_usd))) return { text: "?", share: 0, className: "share" };
  const mark = isCost && whole.unpriced_tokens > 0 ? (part.unpriced_tokens > 0 ? "~" : "≤") : "";
  // A bound is rounded up.
  const all = pico(whole.cost_usd);
  const shown = mark === "≤" ? Number((pico(part.cost_usd) * 100n + all - 1n) / all) : percent;
  return { text: `${mark}${shown}%`, share: shown, className: "share" };
}

// A rate over the last minutes, with the marks of the calls that it counts.
export function rate(amount, calls) {
  if (amount === null) return "?";
  return calls.calls ? cost({ ...calls, cost_usd: amount }) : usd(pico(amount));
}

// A rate or a forecast, with the mark of the sums that it follows from.
export function usdAs(amount, sums) {
  if (amount === null) return "?";
  return pico(amount) ? cost({ ...sums, cost_usd: amount }) : usd(pico(amount));
}
