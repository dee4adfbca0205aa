// Passkeys: what a person signed, verified as W3C Web Authentication Level 3, section 7.2, has it.
//
// The challenge is the SHA-256 of the statement. Counters are not looked at: passkeys that are
// synchronised have none.

import { concat, equal, fromBase64, fromBase64url, sha256, toBase64url, utf8 } from "./bytes.js";
import { hasExactly, isObject, parseJson } from "./json.js";
import { malformed, refuse } from "./refusal.js";

const FLAGS = 32; // the byte behind the relying party's hash; the counter's four follow it
const SHORTEST = 37;
const PRESENT = 0x01;
const VERIFIED = 0x04;
const MEMBERS = ["credential", "authenticator_data", "client_data", "signature"];

// How WebCrypto reads and verifies a key of each kind (ES256, EdDSA, RS256).
const P256 = { name: "ECDSA", namedCurve: "P-256" };
const KINDS = [
  { key: P256, signed: { name: "ECDSA", hash: "SHA-256" }, signature: rawEcdsa },
  { key: "Ed25519", signed: "Ed25519", signature: (bytes) => bytes },
  {
    key: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    signed: "RSASSA-PKCS1-v1_5",
    signature: (bytes) => bytes,
  },
];

export function readAssertion(value) {
  if (!hasExactly(value, MEMBERS) || !MEMBERS.every((name) => typeof value[name] === "string")) {
    malformed("an assertion needs credential, authenticator_data, client_data, signature");
  }
  const [id, data, client, signature] = MEMBERS.map((name) =>
    fromBase64url(value[name], "the assertion"),
  );
  if (id.length === 0) malformed("an assertion names no credential");
  return { credential: value.credential, data, client, signature };
}

// The passkey of an enrolment; its key is a SubjectPublicKeyInfo.
export async function openPasskey({ credential, public_key, rp_id }) {
  const der = fromBase64(public_key, "the enrolment");
  for (const kind of KINDS) {
    const handle = await imported(der, kind.key);
    if (handle) {
      if ((handle.algorithm.modulusLength ?? 2048) < 2048) break;
      return { credential, party: rp_id, handle, kind };
    }
  }
  return malformed("a passkey's public key is P-256, Ed25519 or RSA of 2048 bits and more");
}

async function imported(der, key) {
  try {
    return await crypto.subtle.importKey("spki", der, key, false, ["verify"]);
  } catch {
    return null;
  }
}

// Refused unless this passkey signed the document, by a person who was there and verified.
export async function checkAssertion(passkey, assertion, document) {
  if (assertion.credential !== passkey.credential) {
    refuse("other_passkey", "another passkey signed this");
  }
  await checkClient(assertion.client, document, passkey.party);
  await checkAuthenticator(assertion.data, passkey.party);
  const message = concat(assertion.data, await sha256(assertion.client));
  const { kind, handle } = passkey;
  const signature = kind.signature(assertion.signature);
  if (!signature || !(await crypto.subtle.verify(kind.signed, handle, signature, message))) {
    refuse("bad_signature", "the passkey's signature does not match");
  }
}

async function checkClient(client, document, party) {
  const said = parseJson(client, "the client data");
  if (!isObject(said) || said.type !== "webauthn.get") {
    refuse("wrong_ceremony", "the passkey was not asked to sign");
  }
  if (said.challenge !== toBase64url(await sha256(document))) {
    refuse("other_document", "the passkey signed something else");
  }
  if ("crossOrigin" in said && said.crossOrigin !== false) {
    refuse("cross_origin", "the passkey was asked from inside another page");
  }
  if (!isPageOf(said.origin, party)) {
    refuse("other_origin", `the passkey was not asked by a page of ${party}`);
  }
}

// Whether this is the origin of a page of the party's: over HTTPS, or on this very machine. A host
// below it, which browsers allow, is somebody else's.
function isPageOf(origin, party) {
  const url = typeof origin === "string" && URL.canParse(origin) ? new URL(origin) : null;
  if (!url || url.origin !== origin) return false;
  const host = url.hostname;
  if (host !== party) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && host === "localhost");
}

async function checkAuthenticator(data, party) {
  if (data.length < SHORTEST) malformed("the authenticator's data is too short");
  if (!equal(data.subarray(0, FLAGS), await sha256(utf8(party)))) {
    refuse("other_party", `the passkey was not used for ${party}`);
  }
  if (!(data[FLAGS] & PRESENT)) refuse("not_present", "nobody touched the authenticator");
  if (!(data[FLAGS] & VERIFIED)) {
    refuse("not_verified", "the authenticator did not verify who touched it");
  }
}

// WebCrypto takes r and s, 32 bytes each; authenticators send SEQUENCE { INTEGER, INTEGER } in DER.
function rawEcdsa(der) {
  if (der[0] !== 0x30 || der[1] !== der.length - 2 || der.length > 72) return null;
  const [r, behind] = integer(der, 2);
  const [s, end] = r ? integer(der, behind) : [null, 0];
  return s && end === der.length ? concat(r, s) : null;
}

// A positive DER integer of at most 32 bytes, in its shortest form, and where the next one begins.
function integer(der, at) {
  const length = der[at + 1];
  const digits = der.subarray(at + 2, at + 2 + length);
  if (der[at] !== 0x02 || digits.length !== length || !(length >= 1 && length <= 33))
    return [null, 0];
  const padded = digits[0] === 0 && length > 1;
  if (digits[0] & 0x80 || (padded && !(digits[1] & 0x80))) return [null, 0];
  const number = padded ? digits.subarray(1) : digits;
  if (number.length > 32) return [null, 0];
  return [concat(new Uint8Array(32 - number.length), number), at + 2 + length];
}
