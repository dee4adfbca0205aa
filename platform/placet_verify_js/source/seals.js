// Seals: events of the log that vouch for somebody's access count only with the access key's
// signature for the very place they stand at.

import { concat, fromBase64, utf8 } from "./bytes.js";
import { canonical, isObject } from "./json.js";
import { malformed, Refused, refuse } from "./refusal.js";
import { parseTime } from "./times.js";

const DOMAIN = utf8("placet.dev/seal/v1\u0000");
export const SEALED_KINDS = [
  "credentials.changed.v1",
  "credentials.rehashed.v1",
  "declaration.made.v1",
  "mfa.added.v1",
  "mfa.removed.v1",
  "mfa.reset.v1",
  "password.changed.v1",
  "person.created.v1",
  "person.deactivated.v1",
  "person.erased.v1",
  "person.identity_linked.v1",
  "person.placed.v1",
  "person.reactivated.v1",
  "person.sessions_ended.v1",
  "person.setup_link_made.v1",
  "person.updated.v1",
  "role.granted.v1",
  "role.revoked.v1",
  "role.second_factor_demanded.v1",
  "role.second_factor_waived.v1",
  "service_account.created.v1",
  "service_account.deactivated.v1",
  "service_account.updated.v1",
  "team.created.v1",
  "team.deleted.v1",
  "team.member_added.v1",
  "team.member_removed.v1",
];

// Refused when this event needs a seal and has no good one.
export async function checkSeal(body, index, keys) {
  if (!SEALED_KINDS.includes(body.kind)) return;
  try {
    await verifySeal(body, index, keys);
  } catch (fault) {
    if (!(fault instanceof Refused)) throw fault;
    refuse("unsealed", `event ${index}: ${fault.message}`);
  }
}

async function verifySeal({ seal, ...body }, index, keys) {
  if (seal === undefined) refuse("no_seal", "it has no seal");
  if (!isObject(seal) || typeof seal.keyid !== "string" || typeof seal.sig !== "string") {
    malformed("its seal is not one");
  }
  const place = new DataView(new ArrayBuffer(8));
  place.setBigUint64(0, index);
  const message = concat(DOMAIN, new Uint8Array(place.buffer), utf8(canonical(body)));
  const signature = fromBase64(seal.sig, "its seal");
  const fault = await keys.fault(seal.keyid, "access", parseTime(body.at), signature, message);
  if (fault) throw fault;
}
