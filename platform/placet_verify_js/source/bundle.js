// A release for an outsider: what its bundle proves, line by line, down to the root key.

import { digest, equal, textOf, utf8 } from "./bytes.js";
import { openEnvelope, writtenEnvelope } from "./dsse.js";
import { canonical, isObject, parseJson } from "./json.js";
import { openKeys, publicKeyFromPem, toPem } from "./keys.js";
import { listedFiles, readModelSignature, refuseOtherFiles } from "./modelsig.js";
import { readProof, verifyProof } from "./note.js";
import { readPermit, verifyPermit } from "./permit.js";
import { Refused, malformed, refuse } from "./refusal.js";
import { checkSeal } from "./seals.js";
import { readProvenance, readSummary } from "./statements.js";
import { README } from "./readme.js";

// What a verification summary names, by name and digest; in the order that it names them.
const INPUTS = [
  "artifact.json", "mlbom.json", "model.sig", "permit.json", "provenance.json", "sbom.json",
];
const FIXED = [...INPUTS, "vsa.json", "keys.json", "root.pub", "README.txt"];
const PROOF_NAME = /^log\/(0|[1-9][0-9]*)\.tlog-proof$/;
const LOGGED_COLUMNS = ["envelope", "request_envelope"]; // of rows in an event's "after"

// Verify the files of a bundle (a Map of bytes by name). `root` is the root key's PEM, null where
// only the bundle's own is known; `bento` a name and its digest, or null. `say(kind, line)` hears
// of each thing that is "proved", "unchecked" or "refused". Resolves to the refusal's code, or "".
export async function verifyBundle(files, { root = null, bento = null }, say) {
  const proved = (line) => say("proved", line);
  const unchecked = (line) => say("unchecked", line);
  try {
    await verifyAll(files, root, bento, proved, unchecked);
    return "";
  } catch (fault) {
    const known = fault instanceof Refused;
    say("refused", known ? fault.message : `the verifier cannot read this: ${fault.message}`);
    return known ? fault.code : "malformed";
  }
}

async function verifyAll(files, pem, bento, proved, unchecked) {
  if (pem === null) {
    unchecked("the root key came with the bundle: compare its fingerprint with the one you know");
  }
  const root = await publicKeyFromPem(pem ?? files.get("root.pub") ?? new Uint8Array(0));
  const keys = await openKeys(text(files, "keys.json"), root);
  proved(`root key: ${root.fingerprint}`);
  proved(`keys.json: number ${keys.number}, signed by the root`);
  if (!equal(utf8(toPem(root)), files.get("root.pub") ?? [])) {
    refuse("other_root", "root.pub in the bundle is not the root that you trust");
  }
  if (!equal(utf8(README), files.get("README.txt") ?? [])) {
    refuse("differs", "README.txt is not the one that Placet writes");
  }
  const parts = readPermit(text(files, "permit.json"));
  const permit = await within("permit.json", () => verifyPermit(parts, keys));
  sayPermit(permit, proved);
  const made = await within("provenance.json", () =>
    checkProvenance(files, keys, permit.request, proved, unchecked),
  );
  await checkArtifact(files, permit.request, proved, unchecked);
  await within("vsa.json", () =>
    checkSummary(files, keys, permit.request, made, proved, unchecked),
  );
  const logged = await checkLog(files, keys, proved);
  checkLogged(parts, logged, proved);
  checkBento(permit.request, bento, proved, unchecked);
  unchecked("not checked: what nodes really ran");
}

// A refusal while a file is looked at names that file.
async function within(name, work) {
  try {
    return await work();
  } catch (fault) {
    if (!(fault instanceof Refused) || fault.message.includes(name)) throw fault;
    throw new Refused(fault.code, `${name}: ${fault.message}`);
  }
}

function text(files, name) {
  if (!files.has(name)) malformed(`the bundle has no ${name}`);
  return textOf(files.get(name), name);
}

function sayPermit({ policy, request, decisions }, proved) {
  proved(
    `release ${request.release}: ${request.bento_digest} behind endpoint ${request.endpoint} in` +
      ` ${request.environment} of ${request.project}, to be started until ${request.not_after}`,
  );
  proved(
    `policy: number ${policy.number}, drafted by ${policy.drafted_by}, published by` +
      ` ${policy.published_by}${policy.withPasskey ? " with a passkey" : ""}`,
  );
  for (const { person, role, verdict, at, withPasskey } of decisions) {
    const by = withPasskey ? ", signed with an enrolled passkey" : "";
    proved(`decision: ${person} as ${role}: ${verdict} at ${at}${by}`);
  }
  proved("quorum: the policy's approvals are met, counted from these decisions alone");
}

async function checkProvenance(files, keys, request, proved, unchecked) {
  const envelope = openEnvelope(text(files, "provenance.json"), "provenance.json");
  const made = await readProvenance(await keys.statement(envelope, "build"));
  for (const name of ["bento_digest", "artifact_digest"]) {
    if (made[name] !== request[name]) {
      refuse("other_build", `the provenance is of another ${name}`);
    }
  }
  proved(`built from ${made.artifact_digest} in ${made.isolation}, build ${made.build}`);
  const sbom = files.get("sbom.json");
  if (!sbom) {
    unchecked("not checked: the bill of materials (its file was given up with the Bento)");
  } else if ((await digest(sbom)) !== made.sbom_digest) {
    refuse("other_sbom", "sbom.json is not the one that the provenance names");
  } else {
    proved("bill of materials: the one that the build made");
  }
  return made;
}

// The model's files: those that were approved, and that model.sig signs no others.
async function checkArtifact(files, request, proved, unchecked) {
  const signature = files.get("model.sig");
  if (!files.has("artifact.json")) {
    if (signature) malformed("model.sig cannot be checked without artifact.json");
    unchecked("not checked: the model's files (there is no list of them)");
    return;
  }
  const listed = parseJson(files.get("artifact.json"), "artifact.json");
  const written = utf8(canonical(listed));
  if ((await digest(written)) !== request.artifact_digest) {
    refuse("other_artifact", "artifact.json is not the list of what was approved");
  }
  if (!equal(written, files.get("artifact.json"))) malformed("artifact.json is not canonical JSON");
  const approved = listedFiles(listed);
  proved(`artifact: ${approved.size} file${approved.size === 1 ? "" : "s"}, the list that was approved`);
  if (!signature) return;
  const signed = await readModelSignature(signature);
  await within("model.sig", () => refuseOtherFiles(signed.files, approved));
  proved("model.sig: over exactly these files");
  unchecked(`not checked: whose key made model.sig (it names ${signed.hint || "no key"})`);
}

// The summary is of this release, of these very files, and claims no more than they show.
async function checkSummary(files, keys, request, made, proved, unchecked) {
  if (!files.has("vsa.json")) {
    if (files.has("mlbom.json")) malformed("mlbom.json cannot be checked without vsa.json");
    unchecked("not checked: there is no verification summary");
    return;
  }
  const envelope = openEnvelope(text(files, "vsa.json"), "vsa.json");
  const found = await readSummary(await keys.statement(envelope, "decision"));
  const { project, environment, endpoint, release } = request;
  const inputs = [];
  for (const name of INPUTS.filter((one) => files.has(one))) {
    inputs.push([name, await digest(files.get(name))]);
  }
  const expected = {
    bento_digest: request.bento_digest,
    resource: `placet:${project}/${environment}/${endpoint}/${release}`,
    policy: `placet:${request.policy_id}`,
    policy_digest: request.policy_digest,
    inputs,
    result: "PASSED",
    level: made.isolation === "bwrap" ? "SLSA_BUILD_LEVEL_2" : "SLSA_BUILD_LEVEL_1",
    at: found.at,
  };
  if (canonical(found) !== canonical(expected)) {
    refuse("other_summary", "vsa.json is of another release, or of other files");
  }
  proved(`verification summary: ${found.result} at ${found.at}, ${found.level}, of these very files`);
}

// Verify every event's proof; the envelopes that the events hold, with the event of each.
async function checkLog(files, keys, proved) {
  const logKeys = keys.logKeys();
  const origins = new Set();
  const logged = new Map();
  for (const name of [...files.keys()].filter((one) => !FIXED.includes(one)).sort()) {
    const named = PROOF_NAME.exec(name);
    if (!named) malformed(`${name} does not belong into a bundle`);
    const proof = readProof(text(files, name));
    if (proof.index !== BigInt(named[1])) malformed(`${name} does not belong into a bundle`);
    const signed = await within(name, () => verifyProof(proof, logKeys, proof.extra));
    const body = parseJson(proof.extra, "the event");
    if (!isObject(body)) malformed("an event of the log is an object");
    await checkSeal(body, proof.index, keys);
    origins.add(signed.origin);
    for (const envelope of envelopesIn(body)) logged.set(envelope, proof.index);
    proved(`log: event ${proof.index} of ${signed.size}: ${body.kind} at ${body.at}`);
  }
  if (origins.size !== 1) refuse("no_log", "the bundle must hold events, all of one log");
  return logged;
}

function envelopesIn({ after }) {
  const rows = isObject(after) ? Object.values(after).filter(isObject) : [];
  return rows.flatMap((row) => LOGGED_COLUMNS.map((name) => row[name])).filter((one) => typeof one === "string");
}

// Every signed statement of the permit stands in an event, as signed.
function checkLogged({ policy, request, decisions, enrolments }, logged, proved) {
  const all = [
    ["policy", policy.envelope],
    ["request", request],
    ...decisions.map(({ envelope }) => ["decision", envelope]),
    ...enrolments.map(({ envelope }) => ["enrolment", envelope]),
  ];
  for (const [what, envelope] of all) {
    const index = logged.get(writtenEnvelope(envelope));
    if (index === undefined) refuse("not_logged", `no event of the bundle shows the ${what} in the log`);
    proved(`log: the ${what} is in event ${index}, as signed`);
  }
}

function checkBento(request, bento, proved, unchecked) {
  if (!bento) {
    unchecked("not checked: the Bento itself (it was not given)");
  } else if (bento.digest !== request.bento_digest) {
    refuse("other_bento", `${bento.name} is not the Bento of this release`);
  } else {
    proved(`Bento: ${bento.name} is it, byte for byte`);
  }
}
