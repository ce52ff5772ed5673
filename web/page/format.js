// Counts, times and names as text. Times are those of the meter's zone, wherever the browser is.

let zone = "UTC";
const made = new Map();

export function useZone(name) {
  if (name === zone) return;
  zone = name;
  made.clear();
}

function formatter(locale, options) {
  const key = locale + JSON.stringify(options);
  if (!made.has(key)) {
    let format;
    try {
      format = new Intl.DateTimeFormat(locale, { timeZone: zone, ...options });
    } catch {
      // A browser that does not know the zone shows its own.
      format = new Intl.DateTimeFormat(locale, options);
    }
    made.set(key, format);
  }
  return made.get(key);
}

export const number = (value) => Number(value ?? 0).toLocaleString("en-US");
export const plural = (count, noun) => `${number(count)} ${noun}${Number(count) === 1 ? "" : "s"}`;

// Rounded half to even.
function halfEven(number, divisor) {
  const [whole, rest] = [number / divisor, (number % divisor) * 2n];
  return whole + (rest > divisor || (rest === divisor && whole % 2n) ? 1n : 0n);
}

// A count as the terminal shows it: `950`, `1.2k`, `98k`.
export function compact(value) {
  const count = BigInt(value ?? 0);
  if (count < 1000n) return `${count}`;
  let scale = 1000n;
  for (const unit of ["k", "M", "G", "T", "P", "E"]) {
    const tenths = halfEven(count * 10n, scale);
    if (tenths < 100n) return `${tenths / 10n}${tenths % 10n ? `.${tenths % 10n}` : ""}${unit}`;
    const whole = halfEven(count, scale);
    if (whole < 1000n || unit === "E") return `${whole}${unit}`;
    scale *= 1000n;
  }
}

const HOURS = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
export const clock = (at) => formatter("en-GB", HOURS).format(new Date(at));
export const seconds = (at) => formatter("en-GB", { ...HOURS, second: "2-digit" }).format(new Date(at));
export const day = (at) => formatter("sv-SE", { year: "numeric", month: "2-digit", day: "2-digit" }).format(new Date(at));

// A time today as `14:05`, another as `11-22 14:05`.
export const moment = (at, now = Date.now()) => (day(at) === day(now) ? clock(at) : `${day(at).slice(5)} ${clock(at)}`);

// A local day some days later, as text.
export function later(text, days) {
  const [year, month, date] = text.split("-").map(Number);
  return new Date(Date.UTC(year, month - 1, date + days)).toISOString().slice(0, 10);
}

export function duration(total) {
  const [hours, minutes] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60)];
  if (hours >= 48) return `${Math.floor(hours / 24)} d`;
  return hours ? `${hours} h ${String(minutes).padStart(2, "0")}` : minutes ? `${minutes} min` : `${Math.floor(total)} s`;
}

// The last part of a path.
export const short = (path) => (path ? path.replace(/[\\/]+$/, "").split(/[\\/]/).pop() || path : "");
