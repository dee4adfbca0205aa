// Which passkeys count: enrolments, each vouched for by the root or by another approver's passkey.
//
// The server's keys sign every statement and can enrol nobody by themselves.

import { readEnvelope } from "./dsse.js";
import { hasExactly, parseJson } from "./json.js";
import { malformed, refuse } from "./refusal.js";
import { readStatement } from "./statements.js";
import { parseTime } from "./times.js";
import { checkAssertion, openPasskey, readAssertion } from "./webauthn.js";

const MOST = 200;
const ENROLMENT = "https://placet.dev/enrolment/v1";
const ROOT_ENROLMENT = "https://placet.dev/root-enrolment/v1";

// {"envelope": …}, with an "assertion" where a person signed the payload with a passkey.
export function readSigned(value) {
  if (hasExactly(value, ["envelope", "assertion"])) {
    return { envelope: readEnvelope(value.envelope), assertion: readAssertion(value.assertion) };
  }
  if (hasExactly(value, ["envelope"])) {
    return { envelope: readEnvelope(value.envelope), assertion: null };
  }
  return malformed("a signed statement has an envelope and perhaps an assertion");
}

export class Approvers {
  constructor(keys) {
    this.keys = keys;
    this.enrolled = new Map(); // by the credential's id
  }

  // In a list each comes behind whoever vouches for it.
  static async of(list, keys) {
    if (list.length > MOST) refuse("too_many", `more than ${MOST} enrolments`);
    const approvers = new Approvers(keys);
    for (const signed of list) await approvers.add(signed);
    return approvers;
  }

  async add(signed) {
    const { payload } = signed.envelope;
    const { predicateType } = parseJson(payload, "the enrolment") ?? {};
    if (![ENROLMENT, ROOT_ENROLMENT].includes(predicateType)) {
      refuse("wrong_type", "this is no enrolment");
    }
    const found = await readStatement(payload, predicateType);
    const passkey = await openPasskey(found.passkey);
    if (this.enrolled.has(passkey.credential))
      refuse("enrolled_twice", "a passkey is enrolled twice");
    if (found.person === "") refuse("nobody", "an enrolment names no person");
    const at = parseTime(found.at);
    if (predicateType === ROOT_ENROLMENT) {
      await this.keys.rootStatement(signed.envelope);
    } else {
      await this.keys.statement(signed.envelope, "decision");
      if (found.enrolled_by === found.person) {
        refuse("own_enrolment", `${found.person} vouches for themselves`);
      }
      await this.check(signed, found.enrolled_by, found.credential, at);
    }
    this.enrolled.set(passkey.credential, { person: found.person, passkey, at });
  }

  // Refused unless this person signed it with this passkey of theirs, enrolled by then.
  async check(signed, person, credential, at) {
    const enrolled = this.enrolled.get(credential);
    if (!enrolled) refuse("not_enrolled", `${person} signed with a passkey nobody enrolled`);
    if (enrolled.person !== person) refuse("other_person", `the passkey is not one of ${person}`);
    if (at < enrolled.at) refuse("enrolled_later", `${person} signed before being enrolled`);
    if (!signed.assertion) refuse("no_assertion", `${person} did not sign with the passkey`);
    await checkAssertion(enrolled.passkey, signed.assertion, signed.envelope.payload);
  }
}
