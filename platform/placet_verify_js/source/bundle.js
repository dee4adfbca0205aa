// A release for an outsider: what its bundle proves, line by line, down to the root key.

import { digest, equal, textOf, utf8 } from "./bytes.js";
import { openEnvelope, writtenEnvelope } from "./dsse.js";
import { Logged, readEvent } from "./events.js";
import { canonical, parseJson } from "./json.js";
import { openKeys, publicKeyFromPem, toPem } from "./keys.js";
import { listedFiles, readModelSignature, refuseOtherFiles } from "./modelsig.js";
import { tellNames } from "./names.js";
import { aboutRelease, hear } from "./nodes.js";
import { readPermit, verifyPermit } from "./permit.js";
import { READMES } from "./readme.js";
import { malformed, Refused, refuse } from "./refusal.js";
import { saidNetwork } from "./serving.js";
import { readProvenance, readSummary } from "./statements.js";

// What a verification summary names, by name and digest; in the order that it names them.
const INPUTS = [
  "artifact.json",
  "mlbom.json",
  "model.sig",
  "permit.json",
  "provenance.json",
  "sbom.json",
];
const FIXED = [...INPUTS, "vsa.json", "keys.json", "root.pub", "README.txt"];
const OF_NODES = ["receipts.json", "recalls.json"]; // since format 2
// The kind of a line about nodes, by how it begins; any other is "proved".
const KINDS = {
  "not checked": "unchecked",
  open: "unchecked",
  contradicted: "contradicted",
  recalled: "recalled",
};

// Verify the files of a bundle (a Map of bytes by name). `root` is the root key's PEM, null where
// only the bundle's own is known; `bento` a name and its digest, or null. `say(kind, line)` hears
// of each thing that is "proved", "unchecked", "contradicted" (a node's words deny each other or a
// recall), "recalled" or "refused". Resolves to the refusal's code, or "".
export async function verifyBundle(files, { root = null, bento = null }, say) {
  const proved = (line) => say("proved", line);
  const unchecked = (line) => say("unchecked", line);
  try {
    await verifyAll(files, root, bento, say, proved, unchecked);
    return "";
  } catch (fault) {
    const known = fault instanceof Refused;
    say("refused", known ? fault.message : `the verifier cannot read this: ${fault.message}`);
    return known ? fault.code : "malformed";
  }
}

async function verifyAll(files, pem, bento, say, proved, unchecked) {
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
  const format = formatOf(files);
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
  const logged = await checkLog(files, keys, format, proved);
  checkLogged(parts, logged.envelopes, proved);
  tellNames(files, logged, permit.request, made, proved);
  checkBento(permit.request, bento, proved, unchecked);
  if (format === 1) {
    unchecked("not checked: what nodes really ran: a bundle of format 1 has no receipts");
    return;
  }
  const read = (name) => text(files, name);
  const story = await hear(read, keys, logged);
  const tell = (line) => say(KINDS[line.split(":", 1)[0]] ?? "proved", line);
  aboutRelease(story, permit, tell);
}

// The format of a bundle, which the text in it says. The first knew nothing of nodes.
function formatOf(files) {
  for (const [format, readme] of READMES) {
    if (equal(utf8(readme), files.get("README.txt") ?? [])) return format;
  }
  return refuse("differs", "README.txt is not the one that Placet writes");
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
  if (!files.has(name)) malformed(`there is no ${name}`);
  return textOf(files.get(name), name);
}

function sayPermit({ policy, request, decisions, glass }, proved) {
  const ends = [request.not_after, ...glass.map(({ until }) => until)]; // the first of them counts
  const until = ends.reduce((first, one) => (Date.parse(one) < Date.parse(first) ? one : first));
  proved(
    `release ${request.release}: ${request.bento_digest} behind endpoint ${request.endpoint} in` +
      ` ${request.environment} of ${request.project}, to be started until ${until}`,
  );
  proved(`network: ${saidNetwork(request.serving)}`);
  proved(
    `policy: number ${policy.number}, drafted by ${policy.drafted_by}, published by` +
      ` ${policy.published_by}${policy.withPasskey ? " with a passkey" : ""}`,
  );
  for (const { person, role, verdict, at, withPasskey } of decisions) {
    const by = withPasskey ? ", signed with an enrolled passkey" : "";
    proved(`decision: ${person} as ${role}: ${verdict} at ${at}${by}`);
  }
  if (glass.length === 0) {
    proved("quorum: the policy's approvals are met, counted from these decisions alone");
    return;
  }
  for (const { person, role, opening, at, until, withPasskey } of glass) {
    const by = withPasskey ? ", signed with an enrolled passkey" : "";
    const what = opening ? "confirmed" : "opened";
    proved(`break-glass: ${person} as ${role} ${what} it at ${at}, until ${until}${by}`);
  }
  proved(
    `quorum: not the policy's approvals, but its break-glass of ${glass.length} people,` +
      " counted from these statements alone",
  );
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
  proved(
    `artifact: ${approved.size} file${approved.size === 1 ? "" : "s"}, the list that was approved`,
  );
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
  proved(
    `verification summary: ${found.result} at ${found.at}, ${found.level}, of these very files`,
  );
}

// Verify every event's proof; what the events hold.
async function checkLog(files, keys, format, proved) {
  const fixed = format === 1 ? FIXED : [...FIXED, ...OF_NODES];
  const logKeys = keys.logKeys();
  const logged = new Logged();
  for (const name of [...files.keys()].filter((one) => !fixed.includes(one)).sort()) {
    const content = text(files, name);
    const { index, signed, body } = await within(name, () =>
      readEvent(name, content, logKeys, keys),
    );
    logged.take(index, signed, body);
    proved(`log: event ${index} of ${signed.size}: ${body.kind} at ${body.at}`);
  }
  if (logged.origins.size !== 1) refuse("no_log", "there must be events, all of one log");
  return logged;
}

// Every signed statement of the permit stands in an event, as signed.
function checkLogged({ policy, request, decisions, glass, enrolments }, logged, proved) {
  const all = [
    ["policy", policy.envelope],
    ["request", request],
    ...decisions.map(({ envelope }) => ["decision", envelope]),
    ...glass.map(({ envelope }) => ["break-glass", envelope]),
    ...enrolments.map(({ envelope }) => ["enrolment", envelope]),
  ];
  for (const [what, envelope] of all) {
    const index = logged.get(writtenEnvelope(envelope));
    if (index === undefined)
      refuse("not_logged", `no event of the bundle shows the ${what} in the log`);
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
