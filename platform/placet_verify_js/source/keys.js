// The keys of an installation: one for each purpose, in a list that the root signs.
//
// A key counts for its own purpose alone, for that purpose's payloads alone, and while it was good.

import { digest, equal, fromBase64, textOf, toBase64 } from "./bytes.js";
import { KEY_LIST, openEnvelope, pae, STATEMENT } from "./dsse.js";
import { isObject, parseJson } from "./json.js";
import { malformed, Refused, refuse } from "./refusal.js";
import { parseTime, rfc3339 } from "./times.js";

// The SubjectPublicKeyInfo of every Ed25519 key begins with these bytes (RFC 8410).
const SPKI = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00);
const PURPOSES = ["root", "decision", "access", "build", "state", "log", "node"];
const PLACET = "https://placet.dev/";

// The predicate types that a purpose signs, of those that a bundle holds. What is not named here
// signs no statement: the log key signs checkpoints and the access key seals, which are none.
const SIGNS = {
  build: ["https://slsa.dev/provenance/v1"],
  decision: [
    "policy/v1",
    "policy/v2",
    "request/v1",
    "decision/v1",
    "decision/v2",
    "standing-decision/v1",
    "standing-decision/v2",
    "break-glass/v1",
    "break-glass/v2",
    "enrolment/v1",
    "recall/v1",
    "recall-lifted/v1",
  ]
    .map((name) => PLACET + name)
    .concat("https://slsa.dev/verification_summary/v1"),
};

// An Ed25519 public key: 32 raw bytes.
export async function publicKey(raw) {
  if (raw.length !== 32) malformed("an Ed25519 public key has 32 bytes");
  let handle;
  try {
    handle = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
  } catch {
    malformed("these 32 bytes are no Ed25519 public key");
  }
  const print = await digest(raw);
  return {
    raw,
    fingerprint: print,
    id: print.slice("sha256:".length, "sha256:".length + 16),
    verifies: async (signature, message) =>
      signature.length === 64 && crypto.subtle.verify("Ed25519", handle, signature, message),
  };
}

export async function publicKeyFromPem(bytes) {
  const text = textOf(bytes, "the root key").replaceAll("\r\n", "\n").trim();
  const found = /^-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=\n]+)\n-----END PUBLIC KEY-----$/.exec(
    text,
  );
  if (!found) malformed("this is not a public key in PEM form");
  const der = fromBase64(found[1].replaceAll("\n", ""), "the root key");
  if (!equal(der.subarray(0, SPKI.length), SPKI)) malformed("this public key is not Ed25519");
  return publicKey(der.subarray(SPKI.length));
}

export function toPem(key) {
  const body = toBase64(Uint8Array.of(...SPKI, ...key.raw));
  return `-----BEGIN PUBLIC KEY-----\n${body}\n-----END PUBLIC KEY-----\n`;
}

// keys.json, when the root signed it.
export async function openKeys(text, root) {
  const envelope = openEnvelope(text, "keys.json");
  if (envelope.payloadType !== KEY_LIST || !(await signedBy(envelope, root))) {
    refuse("keys_not_by_root", "keys.json is not signed by the root");
  }
  const list = parseJson(envelope.payload, "keys.json");
  const { v, number, keys, passkeys } = isObject(list) ? list : {};
  const pinned = v === 2 ? passkeys : [];
  if (
    ![1, 2].includes(v) ||
    !Number.isSafeInteger(number) ||
    !Array.isArray(keys) ||
    !Array.isArray(pinned)
  ) {
    malformed("keys.json needs v, number and keys");
  }
  const entries = new Map();
  for (const line of keys) {
    const entry = await readEntry(line);
    if (entries.has(entry.key.id)) malformed("keys.json lists a key twice");
    entries.set(entry.key.id, entry);
  }
  return new Keys(root, number, entries, new Set(pinned));
}

export async function signedBy(envelope, key) {
  const message = pae(envelope);
  for (const { keyid, sig } of envelope.signatures) {
    if (keyid === key.id && (await key.verifies(sig, message))) return true;
  }
  return false;
}

async function readEntry(line) {
  const {
    id,
    purpose,
    public: encoded,
    valid_from,
    valid_until,
    ended,
  } = isObject(line) ? line : {};
  if (typeof id !== "string" || typeof purpose !== "string" || typeof encoded !== "string") {
    malformed("a key needs id, purpose and public");
  }
  const key = await publicKey(fromBase64(encoded, "keys.json"));
  if (!PURPOSES.includes(purpose) || key.id !== id) {
    malformed(`key ${id} has an unknown purpose or another id than its own`);
  }
  const until = valid_until === null || valid_until === undefined ? null : parseTime(valid_until);
  return { key, purpose, from: parseTime(valid_from), until, ended: ended ?? "" };
}

export class Keys {
  constructor(root, number, entries, pinned) {
    this.root = root;
    this.number = number;
    this.entries = entries;
    this.pinned = pinned; // environments where nothing counts without passkeys
  }

  // The payload, when a key of this purpose signed it that was good at the time it states.
  async statement(envelope, purpose) {
    const isStatement = envelope.payloadType === STATEMENT;
    const members = isStatement ? parseJson(envelope.payload, "the payload") : null;
    if (!isObject(members) || !SIGNS[purpose].includes(members.predicateType)) {
      refuse("wrong_type", `a ${purpose} key does not sign this type of payload`);
    }
    const at = signingTime(members);
    let reason = new Refused("unknown_key", "no signature is by a key of this installation");
    for (const { keyid, sig } of envelope.signatures) {
      if (!this.entries.has(keyid)) continue;
      reason = await this.fault(keyid, purpose, at, sig, pae(envelope));
      if (reason === null) return envelope.payload;
    }
    throw reason;
  }

  // The payload, when the root itself signed it as a statement.
  async rootStatement(envelope) {
    if (envelope.payloadType !== STATEMENT) refuse("wrong_type", "this is no statement");
    if (!(await signedBy(envelope, this.root))) {
      refuse("bad_signature", "no signature on this envelope is by a key that may sign it");
    }
    return envelope.payload;
  }

  // Why a signature does not count; null when it does. Good from valid_from on, until before
  // valid_until.
  async fault(id, purpose, at, signature, message) {
    const entry = this.entries.get(id);
    if (!entry) return new Refused("unknown_key", `there is no key ${id}`);
    if (entry.purpose !== purpose) {
      return new Refused("wrong_purpose", `key ${id} is a ${entry.purpose} key, not ${purpose}`);
    }
    if (at < entry.from || (entry.until !== null && at >= entry.until)) {
      return new Refused("key_not_valid", `key ${id} was not valid at ${rfc3339(at)}`);
    }
    if (await entry.key.verifies(signature, message)) return null;
    return new Refused("bad_signature", "the signature does not match");
  }

  // Every key whose checkpoints count. A note carries no time, so of a lost key none does.
  logKeys() {
    const entries = [...this.entries.values()];
    return entries
      .filter(({ purpose, ended }) => purpose === "log" && ended !== "lost")
      .map(({ key }) => key);
  }
}

// A provenance was signed when the build ended, a verification summary when the release was verified,
// everything else when its predicate says.
function signingTime({ predicate }) {
  for (const name of ["at", "timeVerified"]) {
    if (isObject(predicate) && name in predicate) return parseTime(predicate[name]);
  }
  const finished = predicate?.runDetails?.metadata?.finishedOn;
  if (finished === undefined) malformed("the payload does not say when it was signed");
  return parseTime(finished);
}
