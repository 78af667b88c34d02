// Numbers and times as people read them; every text on the page goes through text nodes.
export const none = "–";

export function usd(value) {
  if (value === null || value === undefined) return none;
  const size = Math.abs(value);
  if (size >= 1e9) return `$${(value / 1e9).toFixed(2)}B`;
  if (size >= 1e6) return `$${(value / 1e6).toFixed(2)}M`;
  if (size >= 1e4) return `$${Math.round(value / 1e3)}k`;
  if (size >= 1e3) return `$${(value / 1e3).toFixed(1)}k`;
  return `$${Math.round(value)}`;
}

// What is shown as zero has no sign, whatever is left of it behind the last digit.
export const rounded = (value, digits) => Number(value.toFixed(digits)) + 0;

export function percent(fraction, digits = 2) {
  if (fraction === null || fraction === undefined) return none;
  const value = rounded(100 * fraction, digits);
  return `${value > 0 ? "+" : ""}${value.toFixed(digits)}%`;
}

export const share = (value) => (value === null || value === undefined ? none : `${Math.round(100 * value)}%`);

// Of what is known: 100% only if it is all, and not 0% if it is something.
export function knownShare(value) {
  if (value === null || value === undefined) return "not known yet";
  if (value > 0 && value < 0.01) return "<1%";
  return `${Math.floor(100 * value + 1e-9)}%`;
}

// Venues that are no exchanges; whatever is shown of them is marked.
export const simulated = new Set();
export const venueName = (name) => (simulated.has(name) ? `${name} (simulated)` : name);
export const venueInCell = (name) => (simulated.has(name) ? `sim ${name}` : name);

export function price(value) {
  if (value === null || value === undefined) return none;
  return Number(value.toPrecision(7)).toLocaleString("en-US", { maximumSignificantDigits: 7 });
}

export function number(value, digits = 1) {
  return value === null || value === undefined ? none : rounded(value, digits).toFixed(digits);
}

export function money(value, currency) {
  if (value === null || value === undefined) return none;
  return `${rounded(value, 2).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })} ${currency ?? ""}`.trim();
}

export const counted = (n, one) => `${n.toLocaleString("en-US")} ${one}${n === 1 ? "" : "s"}`;

export function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
}

export const clock = (ms) => (ms ? new Date(ms).toISOString().slice(11, 19) : none);
// With its date, unless it is of today.
export function soon(ms, now) {
  if (!ms) return none;
  const text = new Date(ms).toISOString();
  return text.slice(0, 10) === new Date(now).toISOString().slice(0, 10) ? `${text.slice(11, 16)} UTC` : `${text.slice(0, 16).replace("T", " ")} UTC`;
}

// How long it takes until then; what is due is due any moment.
export function countdown(ms) {
  if (ms <= 0) return "any moment";
  const minutes = Math.floor(ms / 60000);
  if (ms < 120000) return `in ${Math.ceil(ms / 1000)} s`;
  if (minutes < 60) return `in ${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `in ${hours} h ${minutes % 60} min` : `in ${Math.floor(hours / 24)} d ${hours % 24} h`;
}

// Of a day, which is not always today.
export const dated = (ms) => (ms ? new Date(ms).toISOString().slice(0, 19).replace("T", " ") : none);
export const moment = (ms) => (ms ? `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC` : none);

export function bytes(value) {
  if (value === null || value === undefined) return none;
  return value >= 1e9 ? `${(value / 1e9).toFixed(2)} GB` : `${(value / 1e6).toFixed(1)} MB`;
}

// What was liquidated, in words and with a sign of its own; colour only repeats it.
export const sideText = (side) => (side === "long" ? "▼ long" : "▲ short");
export const directionText = (direction) => (direction === "LONG" ? "▲ LONG" : "▼ SHORT");
export const directionClass = (direction) => (direction === "LONG" ? "short" : "long");
