// The events of a bundle: each is proven to be in one signed log, and read for what it says of nodes,
// of what was put on them, and of what they signed. A row without the columns of its kind says nothing.

import { isObject, parseJson } from "./json.js";
import { readProof, verifyProof } from "./note.js";
import { malformed } from "./refusal.js";
import { checkSeal } from "./seals.js";
import { parseTime } from "./times.js";

const PROOF_NAME = /^log\/(0|[1-9][0-9]*)\.tlog-proof$/;
const ENVELOPES = ["envelope", "request_envelope"]; // columns of rows in an event's "after"

// The event that a file proves, with the checkpoint that signs it.
export async function readEvent(name, content, logKeys, keys) {
  const named = PROOF_NAME.exec(name);
  if (!named) malformed(`${name} does not belong here`);
  const proof = readProof(content);
  if (proof.index !== BigInt(named[1])) malformed(`${name} does not belong here`);
  const signed = await verifyProof(proof, logKeys, proof.extra);
  const body = parseJson(proof.extra, "the event");
  if (!isObject(body) || typeof body.kind !== "string" || typeof body.at !== "string") {
    malformed("an event of the log is an object with kind and at");
  }
  await checkSeal(body, proof.index, keys);
  return { index: proof.index, signed, body };
}

// What proven events hold: envelopes by their text, and rows by the name of their table.
export class Logged {
  constructor() {
    this.origins = new Set();
    this.envelopes = new Map();
    this.tables = new Map();
  }

  take(index, signed, { kind, at, after }) {
    const moment = parseTime(at);
    this.origins.add(signed.origin);
    for (const [key, columns] of isObject(after) ? Object.entries(after) : []) {
      if (!isObject(columns)) continue;
      const [table] = key.split(":", 1);
      if (!this.tables.has(table)) this.tables.set(table, []);
      this.tables.get(table).push({ index, event: kind, at: moment, columns });
      for (const name of ENVELOPES) {
        if (typeof columns[name] !== "string") continue;
        const before = this.envelopes.get(columns[name]); // later changes of a row show it again
        if (before === undefined || index < before) this.envelopes.set(columns[name], index);
      }
    }
  }

  // What the events show of a table, first things first.
  rows(table) {
    return [...(this.tables.get(table) ?? [])].sort((one, other) =>
      compare(one.index, other.index),
    );
  }
}

export const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);

// The named columns of a row; null unless all of them are text.
export function texts({ columns }, ...names) {
  const found = names.map((name) => columns[name]);
  return found.every((one) => typeof one === "string") ? found : null;
}
