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

export function compact(value) {
  let rest = Number(value ?? 0);
  for (const unit of ["", "k", "M", "G", "T"]) {
    if (rest < 999.5) return unit && rest < 9.95 ? `${rest.toFixed(1).replace(/\.0$/, "")}${unit}` : `${Math.round(rest)}${unit}`;
    rest /= 1000;
  }
  return `${Math.round(rest)}P`;
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
