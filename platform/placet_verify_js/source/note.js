// Signed tree heads and proofs as C2SP has them: signed-note, tlog-checkpoint, tlog-proof.

import { concat, equal, fromBase64, sha256, utf8 } from "./bytes.js";
import { leafHash, verifyInclusion } from "./merkle.js";
import { malformed, refuse } from "./refusal.js";

const ED25519 = Uint8Array.of(1); // the type of a signature, c2sp.org/signed-note
const DECIMAL = "(0|[1-9][0-9]{0,18})";
const SIGNATURE = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)$/u;
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;
const HEADER = "c2sp.org/tlog-proof@v1";
const LONGEST = 1 << 24;

// c2sp.org/signed-note: a text, an empty line, and lines of signatures over that text.
export function readNote(note) {
  const gap = note.lastIndexOf("\n\n");
  if (gap < 0 || !note.endsWith("\n")) malformed("a checkpoint has a text and signatures");
  if (CONTROL.test(note)) malformed("the checkpoint holds a control character");
  const lines = note.slice(gap + 2, -1).split("\n");
  return { text: note.slice(0, gap + 1), signatures: lines.map(readSignature) };
}

function readSignature(line) {
  const found = SIGNATURE.exec(line);
  if (!found) malformed("a signature line of the checkpoint is not well formed");
  const blob = fromBase64(found[2], "the checkpoint");
  if (blob.length < 5) malformed("a signature of the checkpoint is too short");
  return { name: found[1], keyId: blob.subarray(0, 4), signature: blob.subarray(4) };
}

// c2sp.org/tlog-checkpoint: origin, size and root, each a line; what follows is not looked at.
export function readCheckpoint(note) {
  const { text, signatures } = readNote(note);
  const [origin, size, head, ...more] = text.slice(0, -1).split("\n");
  if (head === undefined || [origin, ...more].includes("")) {
    malformed("a checkpoint has an origin, a size, a root and a signature");
  }
  if (!new RegExp(`^${DECIMAL}$`).test(size)) malformed("the checkpoint's size is not well formed");
  const root = fromBase64(head, "the checkpoint");
  if (root.length !== 32) malformed("the checkpoint's root is not 32 bytes");
  return { origin, size: BigInt(size), root, extensions: more, text, signatures };
}

// The checkpoint, when one of the keys signed it under the log's own name. One bad signature in
// the name of one of the keys voids the note.
export async function verifyCheckpoint(note, keys) {
  const found = readCheckpoint(note);
  const message = utf8(found.text);
  let good = 0;
  let bad = 0;
  for (const key of keys) {
    const keyId = await noteKeyId(found.origin, key);
    for (const { name, keyId: named, signature } of found.signatures) {
      if (name !== found.origin || !equal(named, keyId)) continue;
      if (await key.verifies(signature, message)) good += 1;
      else bad += 1;
    }
  }
  if (good && !bad) return found;
  return refuse("bad_signature", "the checkpoint is not signed by a key of this log");
}

// The first four bytes of SHA-256(name, line feed, type, key).
async function noteKeyId(name, key) {
  return (await sha256(concat(utf8(`${name}\n`), ED25519, key.raw))).subarray(0, 4);
}

// c2sp.org/tlog-proof: nothing of it is verified yet.
export function readProof(text) {
  if (text.length > LONGEST) malformed("the proof is larger than 16 MiB");
  const gap = text.indexOf("\n\n");
  const lines = text.slice(0, Math.max(gap, 0)).split("\n");
  if (lines.shift() !== HEADER || lines.length === 0) {
    malformed(`a proof begins with ${HEADER}, and has an index and a checkpoint`);
  }
  let extra = new Uint8Array(0);
  if (lines[0].startsWith("extra ")) {
    extra = fromBase64(lines.shift().slice("extra ".length), "the proof");
    if (extra.length === 0) malformed("the line extra of the proof is empty");
  }
  const index = new RegExp(`^index ${DECIMAL}$`).exec(lines.shift() ?? "");
  if (!index) malformed("the proof does not say the index of its event");
  const path = lines.map((line) => fromBase64(line, "the proof"));
  if (path.some((step) => step.length !== 32)) malformed("a hash of the proof is not 32 bytes");
  return { index: BigInt(index[1]), path, note: text.slice(gap + 2), extra };
}

// The signed checkpoint under which this body is the event that the proof says.
export async function verifyProof(proof, keys, body) {
  const signed = await verifyCheckpoint(proof.note, keys);
  const leaf = await leafHash(body);
  if (!(await verifyInclusion(leaf, proof.index, signed.size, proof.path, signed.root))) {
    refuse(
      "not_in_log",
      `this body is not event ${proof.index} of the ${signed.size} that the checkpoint signs`,
    );
  }
  return signed;
}
