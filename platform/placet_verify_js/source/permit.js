// The permit: policy, request and decisions as signed; enough to count the quorum without a server.

import { Approvers, readSigned } from "./approvers.js";
import { checkGlass } from "./break_glass.js";
import { digest, utf8 } from "./bytes.js";
import { readEnvelope } from "./dsse.js";
import { canonical, hasExactly, parseJson } from "./json.js";
import { approvalRules, checkQuorum } from "./quorum.js";
import { malformed, refuse } from "./refusal.js";
import { checkServing } from "./serving.js";
import { BOUND, readStatement } from "./statements.js";
import { DAY_MICROSECONDS, MINUTE, parseTime } from "./times.js";

const LONGEST = 1 << 20;
const SHORTEST_NONCE = 16;
const SLACK = 5n * MINUTE;
const TYPE = "https://placet.dev/";

// The parts of a permit of any version; nothing of them is verified yet.
export function readPermit(text) {
  if (text.length > LONGEST) refuse("too_large", "the permit is larger than 1 MiB");
  const permit = parseJson(text, "permit.json");
  const known = ["v", "policy", "request", "decisions"];
  let { policy, decisions, enrolments, break_glass: glass = [] } = permit ?? {};
  if (hasExactly(permit, known) && permit.v === 1 && Array.isArray(decisions)) {
    policy = { envelope: policy };
    decisions = decisions.map((envelope) => ({ envelope }));
    enrolments = [];
  } else if (hasExactly(permit, [...known, "enrolments", "break_glass"]) && permit.v === 3) {
    if (!Array.isArray(glass) || glass.length === 0) malformed("break_glass lists statements");
  } else if (!hasExactly(permit, [...known, "enrolments"]) || permit.v !== 2) {
    malformed("a permit needs v, policy, request and decisions, and nothing else");
  }
  if (!Array.isArray(decisions) || !Array.isArray(enrolments)) {
    malformed("decisions and enrolments are lists");
  }
  return {
    policy: readSigned(policy),
    request: readEnvelope(permit.request),
    decisions: decisions.map(readSigned),
    glass: glass.map(readSigned),
    enrolments: enrolments.map(readSigned),
  };
}

// What a permit says, when it is whole and its quorum is met.
export async function verifyPermit(parts, keys) {
  const approvers = await Approvers.of(parts.enrolments, keys);
  const decisions = [];
  for (const signed of parts.decisions) {
    const kinds = ["decision", "standing-decision"];
    decisions.push(await openSigned(signed, keys, approvers, kinds, "person"));
  }
  const glass = [];
  for (const signed of parts.glass) {
    const found = await openSigned(signed, keys, approvers, ["break-glass"], "person");
    glass.push({ ...found, digest: await digest(signed.envelope.payload) });
  }
  const policy = await openSigned(parts.policy, keys, approvers, ["policy"], "published_by");
  const payload = await keys.statement(parts.request, "decision");
  const request = await readStatement(payload, `${TYPE}request/v1`);
  checkPolicy(policy, request, await digest(utf8(canonical(policy.document))));
  checkServing(request.serving);
  checkDecisions(decisions, glass, request, await digest(payload));
  const rules = approvalRules(policy.document);
  if (keys.pinned.has(request.environment)) checkPinned(policy, request, rules);
  if (glass.length > 0) checkGlass(glass, policy.document, rules, request);
  else checkQuorum(rules, request, decisions);
  return { policy, request, decisions, glass };
}

// A policy or decision, the latter with the person's standing or without: version 2, whose person
// signed with a passkey too, or version 1 without.
async function openSigned(signed, keys, approvers, kinds, signer) {
  const payload = await keys.statement(signed.envelope, "decision");
  const withPasskey = signed.assertion !== null;
  const types = kinds.map((kind) => `${TYPE}${kind}/v${withPasskey ? 2 : 1}`);
  const found = await readStatement(payload, ...types);
  if (withPasskey) {
    await approvers.check(signed, found[signer], found.credential, parseTime(found.at));
  }
  return { ...found, withPasskey };
}

function checkPolicy(policy, request, documentDigest) {
  const pairs = [
    ["project", policy.project, request.project],
    ["environment", policy.environment, request.environment],
    ["policy_id", policy.revision_id, request.policy_id],
    ["policy_number", policy.number, request.policy_number],
    ["policy_digest", documentDigest, request.policy_digest],
  ];
  for (const [name, has, wants] of pairs) {
    if (has !== wants) refuse("policy_differs", `the policy has another ${name} than the request`);
  }
  if (policy.drafted_by === policy.published_by && policy.published_by !== "system") {
    refuse("policy_self_published", "the policy was published by its drafter");
  }
  const { expires_after_days: days = 14 } = policy.document;
  if (typeof days !== "number" || !(days > 0 && days <= 36500)) {
    malformed("expires_after_days must be a number above 0");
  }
  const allowed = BigInt(Math.round(days * DAY_MICROSECONDS)) + SLACK;
  if (parseTime(request.not_after) > parseTime(request.at) + allowed) {
    refuse("expiry_too_late", "the request allows a later start than the policy");
  }
}

// A person decides once, and may confirm a break-glass besides; a nonce serves once in all.
function checkDecisions(decisions, glass, request, requestDigest) {
  const nonces = new Set([checkedNonce(request.nonce)]);
  checkEach(decisions, nonces, request, requestDigest);
  checkEach(glass, nonces, request, requestDigest);
}

function checkEach(decisions, nonces, request, requestDigest) {
  const people = new Set();
  for (const decision of decisions) {
    const { person, nonce } = decision;
    const who = `the decision of ${person}`;
    if (decision.request_digest !== requestDigest) {
      refuse("other_request", `${who} is about another request`);
    }
    for (const name of Object.keys(BOUND)) {
      if (canonical(decision[name]) !== canonical(request[name])) {
        refuse("bound_differs", `${who} binds another ${name}`);
      }
    }
    if (decision.verdict === "request_changes") {
      refuse("changes_requested", `${person} requested changes`);
    }
    if (decision.verdict !== "approve") refuse("rejected", `${person} rejected the release`);
    if (!person || !decision.role) refuse("nobody", "a decision names no person or no role");
    if (people.has(person)) refuse("person_twice", `${person} decided twice`);
    if (nonces.has(nonce)) refuse("nonce_twice", `${who} uses a nonce that was used before`);
    if (parseTime(decision.at) > parseTime(request.not_after)) {
      refuse("decided_too_late", `${who} came after the release expired`);
    }
    people.add(person);
    nonces.add(checkedNonce(nonce));
  }
}

function checkedNonce(nonce) {
  if (nonce.length < SHORTEST_NONCE) {
    refuse("weak_nonce", `a nonce needs at least ${SHORTEST_NONCE} characters`);
  }
  return nonce;
}

// Where keys.json demands passkeys, a policy without them counts for nothing, whoever signed it.
function checkPinned(policy, { environment }, rules) {
  if (!policy.withPasskey) {
    refuse("policy_without_passkey", `a policy of ${environment} must be published with a passkey`);
  }
  if (rules.length === 0 || !rules.every((rule) => rule.passkey)) {
    refuse("passkeys_demanded", `a policy of ${environment} must demand approvals by passkey`);
  }
}
