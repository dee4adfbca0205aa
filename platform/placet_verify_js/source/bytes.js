// Bytes, and how signed documents write them as text: each in one spelling, so that no bit can hide.

import { malformed } from "./refusal.js";

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const PLAIN = new TextEncoder();

export const utf8 = (text) => PLAIN.encode(text);

// The text of UTF-8 bytes, a byte order mark included; refused when they are not UTF-8.
export function textOf(bytes, name) {
  try {
    return STRICT.decode(bytes);
  } catch {
    return malformed(`${name} is not UTF-8 text`);
  }
}

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function equal(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

export const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

export const fromHex = (text) =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

// RFC 4648, section 4.
export function toBase64(bytes) {
  let letters = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    letters += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(letters);
}

// Nothing but what toBase64 writes: padded, no white space, no stray bits behind the end.
export function fromBase64(text, holder) {
  if (/^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    if (toBase64(bytes) === text) return bytes;
  }
  return malformed(`${holder} holds text that is not base64 in its one normal form`);
}

// RFC 4648, section 5, without padding: what browsers write.
export function toBase64url(bytes) {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function fromBase64url(text, holder) {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) {
    malformed(`${holder} holds text that is not base64url`);
  }
  const padded =
    text.replaceAll("-", "+").replaceAll("_", "/") + "===".slice((text.length + 3) % 4);
  return fromBase64(padded, holder);
}

export async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
}

// Digests are written "sha256:" and 64 hex digits.
export const digest = async (bytes) => `sha256:${hex(await sha256(bytes))}`;

export const isDigest = (value) => typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value);
