// The in-toto statements of a bundle, read only in their exact form: each member that the type has,
// of its kind, no other, and the payload byte for byte the canonical JSON of what was read.

import { digest, fromBase64, hex, isDigest, textOf, utf8 } from "./bytes.js";
import { canonical, hasExactly, isObject, parseJson } from "./json.js";
import { Refused } from "./refusal.js";
import { isStanding } from "./standing.js";
import { isExactTime, parseTime } from "./times.js";

const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
const BUILD_TYPE = "https://placet.dev/build/v1";
const VERIFIER = "https://placet.dev/verifier/v1";

const text = (value) => typeof value === "string";
const whole = (value) => Number.isSafeInteger(value);
const commitment = (value) => value === "" || isDigest(value);
const verdict = (value) => ["approve", "request_changes", "reject"].includes(value);
const nothing = (value) => value === "";
const base64 = (value) => text(value) && fromBase64(value, "the statement").length > 0;
const digests = (value) =>
  Array.isArray(value) &&
  value.every(isDigest) &&
  value.every((one, at) => at === 0 || value[at - 1] < one);
// Text in the order of its code points, each once.
const inOrder = (value) =>
  Array.isArray(value) &&
  value.every(text) &&
  value.every((one, at) => at === 0 || hex(utf8(value[at - 1])) < hex(utf8(one)));
const NAMED = ["bentos", "releases", "keys", "passkeys", "people"];
const names = (value) => hasExactly(value, NAMED) && NAMED.every((name) => inOrder(value[name]));
const passkey = (value) =>
  hasExactly(value, ["credential", "public_key", "rp_id"]) &&
  text(value.credential) &&
  base64(value.public_key) &&
  text(value.rp_id);

const POLICY = {
  project: text,
  environment: text,
  revision_id: text,
  number: whole,
  document: isObject,
  drafted_by: text,
  published_by: text,
  at: isExactTime,
};
// What a request asks for and every decision on it binds once more.
export const BOUND = {
  release: text,
  project: text,
  environment: text,
  endpoint: text,
  artifact_digest: isDigest,
  bento_digest: isDigest,
  evidence: digests,
  policy_id: text,
  policy_number: whole,
  policy_digest: isDigest,
  plan_digest: isDigest,
  serving: isObject,
  requester: text,
  author: text,
  not_after: isExactTime,
};
const DECISION = {
  ...BOUND,
  request_digest: isDigest,
  verdict,
  person: text,
  role: text,
  comment_commitment: commitment,
  nonce: text,
  at: isExactTime,
};
// Who opens a break-glass names no opening and gives a reason; who confirms it names its digest.
const GLASS = {
  ...DECISION,
  verdict: (value) => value === "approve",
  until: isExactTime,
  opening: commitment,
};
const ENROLMENT = {
  person: text,
  passkey,
  enrolled_by: text,
  credential: text,
  nonce: text,
  at: isExactTime,
};

const aboutPolicy = async ({ document }) => [["policy", await digest(utf8(canonical(document)))]];
const aboutRelease = ({ artifact_digest, bento_digest }) => [
  ["artifact", artifact_digest],
  ["bento", bento_digest],
];
const aboutPasskey = async ({ passkey: { public_key } }) => [
  ["passkey", await digest(fromBase64(public_key, "the statement"))],
];
const aboutNames = async (predicate) => [
  ["recalled", await digest(utf8(canonical(predicate.names)))],
];
// A subject that the predicate does not repeat: the digest that stands there is part of what is said.
const aboutRecall = (_, members) => [["recall", named(members.subject, "recall")[0]]];
const aboutBento = (_, members) => [["bento", named(members.subject, "bento")[0]]];

// Of each type: its members, and what its subject must be.
const TYPES = {
  "https://placet.dev/policy/v1": [POLICY, aboutPolicy],
  "https://placet.dev/policy/v2": [{ ...POLICY, credential: text, nonce: text }, aboutPolicy],
  "https://placet.dev/request/v1": [{ ...BOUND, nonce: text, at: isExactTime }, aboutRelease],
  "https://placet.dev/decision/v1": [DECISION, aboutRelease],
  "https://placet.dev/decision/v2": [{ ...DECISION, credential: text }, aboutRelease],
  "https://placet.dev/break-glass/v1": [GLASS, aboutRelease],
  "https://placet.dev/break-glass/v2": [{ ...GLASS, credential: text }, aboutRelease],
  "https://placet.dev/standing-decision/v1": [{ ...DECISION, standing: isStanding }, aboutRelease],
  "https://placet.dev/standing-decision/v2": [
    { ...DECISION, credential: text, standing: isStanding },
    aboutRelease,
  ],
  "https://placet.dev/enrolment/v1": [ENROLMENT, aboutPasskey],
  "https://placet.dev/root-enrolment/v1": [
    { ...ENROLMENT, enrolled_by: nothing, credential: nothing },
    aboutPasskey,
  ],
  "https://placet.dev/recall/v1": [
    {
      recall: text,
      project: text,
      kind: text,
      what: text,
      names,
      by: text,
      reason: text,
      at: isExactTime,
    },
    aboutNames,
  ],
  "https://placet.dev/recall-lifted/v1": [
    { recall: text, by: text, reason: text, at: isExactTime },
    aboutRecall,
  ],
  "https://placet.dev/ran/v1": [
    {
      node: text,
      target: text,
      endpoint: text,
      release: text,
      revision: text,
      started_at: isExactTime,
      ended_at: isExactTime,
    },
    aboutBento,
  ],
  "https://placet.dev/recall-stopped/v1": [
    { node: text, target: text, recall: text, at: isExactTime },
    aboutRecall,
  ],
};

const spoilt = (sentence) => new Refused("malformed", sentence);

// The predicate of a payload that must be of one of these types, with its type and subject beside it.
export async function readStatement(payload, ...types) {
  const members = openPayload(payload, types);
  const [shape, about] = TYPES[members.predicateType];
  const { predicate } = members;
  if (!hasExactly(predicate, Object.keys(shape))) {
    throw spoilt("the statement has not exactly the members of its type");
  }
  for (const [name, fits] of Object.entries(shape)) {
    if (!fits(predicate[name])) throw spoilt(`the statement spoils its member ${name}`);
  }
  const subject = await about(predicate, members);
  checkExact(payload, members, described(subject));
  const { started_at: started, ended_at: ended } = predicate;
  if (ended !== undefined && parseTime(ended) < parseTime(started)) {
    throw spoilt("it ended before it started");
  }
  return { type: members.predicateType, subject: Object.fromEntries(subject), ...predicate };
}

const PROVENANCE = "https://slsa.dev/provenance/v1";

// How a Bento came to be (SLSA provenance v1), in the one form that Placet writes.
export async function readProvenance(payload) {
  const members = openPayload(payload, [PROVENANCE]);
  const { buildDefinition: definition, runDetails: details } = members.predicate;
  const { startedOn, finishedOn, invocationId } = details?.metadata ?? {};
  const isolation = definition?.internalParameters?.isolation;
  const external = definition?.externalParameters;
  const builder = details?.builder?.id;
  const [artifact, runtime] = named(definition?.resolvedDependencies, "artifact", "runtime");
  const [sbom] = named(details?.byproducts, "sbom");
  const [bento] = named(members.subject, "bento");
  if (![invocationId, isolation, builder, external?.version].every(text)) {
    throw spoilt("the provenance lacks a member");
  }
  if (!isExactTime(startedOn) || !isExactTime(finishedOn)) throw spoilt("the build has no times");
  const predicate = {
    buildDefinition: {
      buildType: BUILD_TYPE,
      externalParameters: external,
      internalParameters: { isolation },
      resolvedDependencies: described([
        ["artifact", artifact],
        ["runtime", runtime],
      ]),
    },
    runDetails: {
      builder: { id: builder },
      metadata: { invocationId, startedOn, finishedOn },
      byproducts: described([["sbom", sbom]]),
    },
  };
  checkExact(payload, { ...members, predicate }, described([["bento", bento]]));
  return {
    version: external.version,
    bento_digest: bento,
    artifact_digest: artifact,
    sbom_digest: sbom,
    isolation,
    build: invocationId,
  };
}

const SUMMARY = "https://slsa.dev/verification_summary/v1";
const RESULTS = [
  ["PASSED", "SLSA_BUILD_LEVEL_1"],
  ["PASSED", "SLSA_BUILD_LEVEL_2"],
  ["FAILED", "FAILED"],
];

// What Placet found when it verified a release (SLSA VSA v1), in the one form that it writes. Its
// inputs are pairs of a file's name and its digest.
export async function readSummary(payload) {
  const members = openPayload(payload, [SUMMARY]);
  const { timeVerified: at, resourceUri: resource, policy, inputAttestations } = members.predicate;
  const { verificationResult: result, verifiedLevels: levels } = members.predicate;
  const [bento] = named(members.subject, "bento");
  const policyDigest = `sha256:${policy?.digest?.sha256}`;
  const entries = Array.isArray(inputAttestations) ? inputAttestations : [null];
  const inputs = entries.map((entry) => [entry?.uri, `sha256:${entry?.digest?.sha256}`]);
  const ordered = inputs.every(([name], index) => index === 0 || inputs[index - 1][0] < name);
  if (!ordered || !inputs.every(([name, value]) => text(name) && isDigest(value))) {
    throw spoilt("the summary does not name its inputs, each once and in order");
  }
  if (!text(resource) || !text(policy?.uri) || !isDigest(policyDigest) || !isExactTime(at)) {
    throw spoilt("the summary lacks a member");
  }
  if (!RESULTS.some((known) => canonical([known[0], [known[1]]]) === canonical([result, levels]))) {
    throw spoilt("a summary is PASSED at build level 1 or 2, or FAILED");
  }
  const predicate = {
    verifier: { id: VERIFIER },
    timeVerified: at,
    resourceUri: resource,
    policy: { uri: policy.uri, digest: { sha256: policy.digest.sha256 } },
    inputAttestations: inputs.map(([uri, value]) => ({ uri, digest: sha256Of(value) })),
    verificationResult: result,
    verifiedLevels: levels,
    slsaVersion: "1.0",
  };
  checkExact(payload, { ...members, predicate }, described([["bento", bento]]));
  return {
    bento_digest: bento,
    resource,
    policy: policy.uri,
    policy_digest: policyDigest,
    inputs,
    result,
    level: levels[0],
    at,
  };
}

function openPayload(payload, types) {
  const members = parseJson(payload, "the statement");
  if (!isObject(members) || !types.includes(members.predicateType)) {
    throw new Refused("wrong_type", `this is not a statement of type ${types.join(" or ")}`);
  }
  if (!isObject(members.predicate)) throw spoilt("the statement has no predicate");
  return members;
}

// Writing again what was read must give the same bytes: nothing hides in a member nobody looks at.
function checkExact(payload, { predicateType, predicate }, subject) {
  const again = canonical({ _type: STATEMENT_TYPE, subject, predicateType, predicate });
  if (again !== textOf(payload, "the statement")) {
    throw spoilt("the statement is not in the exact form of its type");
  }
}

// in-toto resource descriptors of named digests.
const described = (pairs) => pairs.map(([name, value]) => ({ name, digest: sha256Of(value) }));
const sha256Of = (value) => ({ sha256: value.slice("sha256:".length) });

// The digests of descriptors that must have these names, in this order.
function named(descriptors, ...names) {
  const found = Array.isArray(descriptors) ? descriptors : [];
  const values = names.map((_, at) => `sha256:${found[at]?.digest?.sha256}`);
  if (!values.every(isDigest) || !names.every((name, at) => found[at].name === name)) {
    throw spoilt(`the statement does not name the digest of ${names.join(" and ")}`);
  }
  return values;
}
