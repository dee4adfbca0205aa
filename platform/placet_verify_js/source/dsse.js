// DSSE envelopes: signatures over PAE(type, payload), so that a payload cannot change its type.

import { concat, fromBase64, toBase64, utf8 } from "./bytes.js";
import { canonical, isObject, parseJson } from "./json.js";
import { malformed } from "./refusal.js";

export const STATEMENT = "application/vnd.in-toto+json";
export const KEY_LIST = "application/vnd.placet.keys+json";

// Members that the protocol does not know are passed over, as it demands.
export function readEnvelope(value) {
  const { payload, payloadType, signatures } = isObject(value) ? value : {};
  if (
    typeof payload !== "string" ||
    typeof payloadType !== "string" ||
    !Array.isArray(signatures)
  ) {
    malformed("an envelope needs payload, payloadType and signatures");
  }
  const bytes = fromBase64(payload, "the envelope");
  return { payloadType, payload: bytes, signatures: signatures.map(readSignature) };
}

function readSignature(value) {
  const { keyid, sig } = isObject(value) ? value : {};
  if (typeof keyid !== "string" || typeof sig !== "string") {
    malformed("a signature needs keyid and sig");
  }
  return { keyid, sig: fromBase64(sig, "the envelope") };
}

export const openEnvelope = (text, name) => readEnvelope(parseJson(text, name));

// The envelope as the log holds it: canonical JSON of what was read.
export function writtenEnvelope({ payloadType, payload, signatures }) {
  return canonical({
    payload: toBase64(payload),
    payloadType,
    signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig: toBase64(sig) })),
  });
}

// The bytes that are signed: "DSSEv1 LENGTH type LENGTH payload".
export function pae({ payloadType, payload }) {
  const kind = utf8(payloadType);
  return concat(utf8(`DSSEv1 ${kind.length} `), kind, utf8(` ${payload.length} `), payload);
}
