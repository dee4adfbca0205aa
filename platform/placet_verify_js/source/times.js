// RFC 3339 instants in UTC, in microseconds since 1970 as a BigInt: a Number holds them not exactly.

import { malformed } from "./refusal.js";

const FORM = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?Z$/;
export const MINUTE = 60_000_000n;
export const DAY_MICROSECONDS = 86_400_000_000;

export function parseTime(text) {
  const found = typeof text === "string" ? FORM.exec(text) : null;
  if (!found) malformed(`${JSON.stringify(text)} is not a time of the form 2026-11-25T09:58:00Z`);
  const date = new Date(0);
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  if (year === 0 || date.toISOString().slice(0, 19) !== text.slice(0, 19)) {
    malformed(`${text} is not a real date and time`);
  }
  return BigInt(date.getTime()) * 1000n + BigInt((found[7] ?? "").padEnd(6, "0"));
}

// As every signed document writes it: with all six digits of the microseconds.
export function rfc3339(micros) {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = Number((micros - fraction) / 1000n);
  const digits = String(fraction).padStart(6, "0");
  return `${new Date(seconds).toISOString().slice(0, 19)}.${digits}Z`;
}

export function isExactTime(text) {
  return typeof text === "string" && /\.\d{6}Z$/.test(text) && rfc3339(parseTime(text)) === text;
}
