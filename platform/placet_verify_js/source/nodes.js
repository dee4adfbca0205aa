// What nodes signed, the recalls that it is about, and what both come to, in words.
//
// A node's key stands in no keys.json: what binds it is the event by which the node joined its target
// with it. A line begins with "contradicted:" where signed words deny each other, a recall or the
// order of things, with "open:" where a node has not signed. Neither is a refusal.

import { digest, fromBase64 } from "./bytes.js";
import { readEnvelope, STATEMENT, writtenEnvelope } from "./dsse.js";
import { compare, texts } from "./events.js";
import { canonical, isObject, parseJson } from "./json.js";
import { publicKey, signedBy } from "./keys.js";
import { malformed, refuse } from "./refusal.js";
import { readStatement } from "./statements.js";
import { parseTime, rfc3339 } from "./times.js";

const TYPE = "https://placet.dev/";
const RECALL = `${TYPE}recall/v1`;
const LIFT = `${TYPE}recall-lifted/v1`;
const RAN = `${TYPE}ran/v1`;
const STOPPED = `${TYPE}recall-stopped/v1`;
const SECOND = 1_000_000n;
const SKEW = 120n * SECOND; // a node's clock may differ from the platform's by so much
const STEP = 2n * SECOND; // and be stepped by so much between two receipts
const BEYOND =
  "not checked: what nodes did beyond what they signed, and what receipts or recalls are not here";

// What the events say of nodes, and which receipts and recalls they show.
async function factsOf(logged) {
  const joins = [];
  for (const row of logged.rows("serving.node")) {
    const found = texts(row, "id", "target_id", "public_key");
    if (row.event !== "node.joined.v1" || !found) continue;
    const [node, target, encoded] = found;
    const key = await publicKey(fromBase64(encoded, "a node's key"));
    joins.push({ index: row.index, node, target, key });
  }
  const placed = new Map();
  for (const row of logged.rows("serving.revision")) {
    const found = texts(row, "id", "release", "bento_id", "endpoint_id");
    if (row.event !== "revision.added.v1" || !found) continue;
    const [revision, release, bento, endpoint] = found;
    placed.set(revision, { index: row.index, at: row.at, revision, release, bento, endpoint });
  }
  const targets = new Map();
  for (const row of logged.rows("serving.endpoint")) {
    const found = texts(row, "id", "target_id");
    if (found) targets.set(...found);
  }
  const receipts = shown(logged, "assurance.receipt", "envelope");
  const recalls = shown(logged, "assurance.recall", "envelope", "lift_envelope");
  return { joins, placed, targets, effects: effectsOf(logged), receipts, recalls };
}

// What the platform says of each release that a recall reached.
function effectsOf(logged) {
  const effects = [];
  for (const row of logged.rows("assurance.recalleffect")) {
    const found = texts(row, "recall_id", "release_id", "target_id", "state");
    if (!found) continue;
    const [recall, release, target, state] = found;
    const { revisions } = row.columns;
    const ran = Array.isArray(revisions) && revisions.length > 0;
    effects.push({ index: row.index, recall, release, target, state, ran });
  }
  return effects;
}

function shown(logged, table, ...columns) {
  const found = new Map();
  for (const row of logged.rows(table)) {
    for (const column of columns) {
      const text = row.columns[column];
      if (typeof text === "string" && text && !found.has(text)) found.set(text, row);
    }
  }
  return found;
}

const nodeOn = ({ joins }, target) => joins.findLast((one) => one.target === target)?.node ?? "";

// Recalls and receipts, verified: by whom they are, and that the log shows each as signed. `read`
// gives a file's text by its name.
export async function hear(read, keys, logged) {
  const facts = await factsOf(logged);
  const recalls = await hearRecalls(read, keys, facts);
  const heard = [];
  for (const [envelope, row] of listed(read, "receipts.json", facts.receipts, "receipt")) {
    heard.push(await hearReceipt(envelope, row, facts));
  }
  for (const { said } of heard) checkAbout(said, facts, recalls);
  heard.sort((one, other) => compare(one.index, other.index));
  return { facts, recalls, heard };
}

async function hearRecalls(read, keys, facts) {
  const known = new Map();
  for (const [envelope, { index }] of listed(read, "recalls.json", facts.recalls, "recall")) {
    const payload = await keys.statement(envelope, "decision");
    const said = await readStatement(payload, RECALL, LIFT);
    const before = known.get(said.recall);
    if (said.type === RECALL && !before) {
      known.set(said.recall, { ...said, digest: await digest(payload), index, lift: null });
    } else if (said.type === LIFT && before && !before.lift) {
      if (said.subject.recall !== before.digest) {
        refuse("other_recall", `the lift of ${said.recall} is of another recall`);
      }
      before.lift = said;
    } else {
      refuse("other_recall", `recalls.json must name ${said.recall} once, then its lift`);
    }
  }
  return known;
}

async function hearReceipt(envelope, row, facts) {
  const said = await claimed(envelope);
  const join = facts.joins.findLast((one) => one.node === said.node && one.index < row.index);
  if (!join) refuse("unknown_node", `no event here shows the key of node ${said.node}`);
  if (!(await signedBy(envelope, join.key))) {
    refuse("bad_signature", "no signature on this envelope is by a key that may sign it");
  }
  if (said.target !== join.target) {
    refuse("other_target", `node ${join.node} joined another target than it signs for`);
  }
  return { said, index: row.index, at: row.at, join };
}

// What a receipt says, whoever signed it; its times as instants beside it.
async function claimed(envelope) {
  const members =
    envelope.payloadType === STATEMENT ? parseJson(envelope.payload, "a receipt") : null;
  if (!isObject(members) || ![RAN, STOPPED].includes(members.predicateType)) {
    refuse("wrong_type", "this is no receipt of a node");
  }
  const said = await readStatement(envelope.payload, RAN, STOPPED);
  if (said.type === STOPPED) return { ...said, moment: parseTime(said.at) };
  return { ...said, from: parseTime(said.started_at), until: parseTime(said.ended_at) };
}

// A receipt is about something that stands here too.
function checkAbout(said, { placed }, recalls) {
  if (said.type === STOPPED) {
    if (recalls.get(said.recall)?.digest !== said.subject.recall) {
      refuse("other_recall", `a receipt is about ${said.recall}, which is not here`);
    }
    return;
  }
  const { release, bento, endpoint } = placed.get(said.revision) ?? {};
  if (release !== said.release || bento !== said.subject.bento || endpoint !== said.endpoint) {
    refuse("unknown_revision", `no event here puts ${said.revision} as a receipt has it`);
  }
}

// The envelopes of a file, each with its event: those of the events, and no others.
function listed(read, name, rows, what) {
  const text = read(name);
  const found = parseJson(text, name);
  if (!Array.isArray(found) || canonical(found) !== text)
    malformed(`${name} is no list in canonical JSON`);
  const envelopes = found.map(readEnvelope);
  const written = envelopes.map(writtenEnvelope);
  if (new Set(written).size !== written.length) refuse("twice", `${name} holds a ${what} twice`);
  if (!written.every((one) => rows.has(one))) {
    refuse("not_logged", `no event here shows the ${what} in the log`);
  }
  for (const [one, { index }] of rows) {
    if (!written.includes(one)) {
      refuse("left_out", `event ${index} shows a ${what} that ${name} leaves out`);
    }
  }
  return envelopes.map((envelope, at) => [envelope, rows.get(written[at])]);
}

// Tell what is known of a release on nodes. Refused for what is not about this release.
export function aboutRelease(story, { request, decisions }, tell) {
  const { facts, recalls, heard } = story;
  refuseOthers(story, request);
  const moments = [request, ...decisions].map(({ at }) => at);
  const decided = moments.reduce((one, other) => (parseTime(other) > parseTime(one) ? other : one));
  const target = facts.targets.get(request.endpoint) ?? "";
  tellNodes(story, target, tell);
  const placed = [...facts.placed.values()].filter(({ release }) => release === request.release);
  for (const one of placed) tellRuns(story, one, nodeOn(facts, target), tell);
  if (placed.length === 0) {
    tell("not checked: what nodes really ran: no event here puts this release on one");
  }
  for (const one of heard) {
    if (one.said.type === RAN) ranWhen(one, facts.placed.get(one.said.revision), decided, tell);
    else stoppedWhen(one, recalls.get(one.said.recall), tell);
  }
  tellOverlaps(
    heard.filter(({ said }) => said.type === RAN).map(({ said }) => said),
    tell,
  );
  for (const recall of recalls.values()) tellRecall(story, recall, request.release, tell);
  tell(BEYOND);
}

function refuseOthers({ facts, recalls, heard }, { release, bento_digest: bento, endpoint }) {
  for (const { recall, names } of recalls.values()) {
    if (!names.releases.includes(release) && !names.bentos.includes(bento)) {
      refuse("other_recall", `recall ${recall} names no part of this`);
    }
  }
  for (const one of facts.placed.values()) {
    if (one.release === release && (one.bento !== bento || one.endpoint !== endpoint)) {
      refuse("other_release", `event ${one.index} puts something else there`);
    }
  }
  for (const { said } of heard) {
    if (said.type === RAN && said.release !== release) {
      refuse("other_release", `a receipt is of release ${said.release}`);
    }
  }
}

function tellNodes({ facts, heard }, target, tell) {
  const used = new Set(heard.map(({ join }) => join.index));
  const told = facts.joins.filter((one) => used.has(one.index) || one.target === target);
  for (const one of told) {
    tell(
      `node ${one.node}: joined target ${one.target} with key ${one.key.id}, event ${one.index}`,
    );
  }
  if (told.length) {
    tell("not checked: whose host a node is: the log alone says with which key it joined");
  }
}

const span = ({ started_at, ended_at }) => `from ${started_at} to ${ended_at}`;
const runsOf = ({ heard }, release) =>
  heard.filter(({ said }) => said.type === RAN && said.release === release);

function tellRuns(story, { revision, release, endpoint, index, at: moment }, node, tell) {
  tell(`revision ${revision}: put behind ${endpoint} at ${rfc3339(moment)}, event ${index}`);
  const runs = runsOf(story, release).filter(({ said }) => said.revision === revision);
  for (const { said, index: event } of runs) {
    tell(`ran: ${revision} ${span(said)}, signed by node ${said.node}, event ${event}`);
  }
  if (runs.length) return;
  const why = node
    ? `node ${node} has signed no receipt of it, and it may run still`
    : "no event here shows a node for it";
  tell(`not checked: whether ${revision} ran: ${why}`);
}

// Where signed times deny the order of events; `decided` is when the last decision was signed.
function ranWhen({ said, index, at }, placed, decided, tell) {
  const who = `contradicted: node ${said.node} signed that ${said.revision} ran`;
  if (said.until > at + SKEW) {
    tell(`${who} until ${said.ended_at}, which was yet to come at event ${index}`);
  }
  if (said.from < placed.at - SKEW) {
    tell(`${who} from ${said.started_at} on, before event ${placed.index} put it there`);
  }
  if (said.from < parseTime(decided) - SKEW) {
    tell(`${who} from ${said.started_at} on, before it was approved at ${decided}`);
  }
}

function stoppedWhen({ said, index, at }, recall, tell) {
  const who = `contradicted: node ${said.node} signed that nothing ran of recall ${said.recall} at ${said.at}`;
  if (said.moment > at + SKEW) tell(`${who}, which was yet to come at event ${index}`);
  if (said.moment < parseTime(recall.at) - SKEW) tell(`${who}, before it was recalled`);
}

// Two runs of one revision on one node cannot be at once.
function tellOverlaps(runs, tell) {
  const together = new Map();
  for (const ran of runs) {
    const whose = canonical([ran.node, ran.revision]);
    together.set(whose, [...(together.get(whose) ?? []), ran]);
  }
  for (const found of together.values()) {
    found.sort((one, other) => compare(one.from, other.from) || compare(one.until, other.until));
    let [first] = found;
    for (const ran of found.slice(1)) {
      if (ran.from + STEP < first.until) {
        const who = `contradicted: node ${ran.node} signed two runs of ${ran.revision}`;
        tell(`${who} that overlap: ${span(first)}, and ${span(ran)}`);
      }
      if (ran.until > first.until) first = ran;
    }
  }
}

function tellRecall(story, recall, release, tell) {
  const { recall: id, kind, what, by, at, index, lift, names } = recall;
  const gone = names.releases.includes(release);
  const counts = gone || !lift;
  const named = gone ? "it names this release" : "it names this Bento, not this release";
  const told = `${kind} ${what}, by ${by} at ${at}, recall ${id}, event ${index}`;
  tell(`${counts ? "recalled" : "recall"}: ${told}: ${named}`);
  if (lift) tell(`lifted: by ${lift.by} at ${lift.at}; the releases that it names stay revoked`);
  if (!gone) return;
  const [state, sentence] = statusOf(story, recall, release);
  tell(`${state}: recall ${id}: ${sentence}`);
  for (const { said } of runsOf(story, release)) {
    const since = parseTime(at);
    if (said.until <= since) continue;
    const seconds = (said.until - (said.from > since ? said.from : since)) / SECOND;
    const span = seconds ? `${seconds} s` : "less than a second";
    tell(`recall ${id}: ${said.revision} ran ${span} longer than that`);
  }
}

// Whether the node of a release has confirmed a recall that names it. The receipts decide; the
// platform's own word, which the log alone vouches for, makes it worse and never better.
function statusOf(story, recall, release) {
  const { facts, heard } = story;
  const effect = facts.effects.findLast(
    (one) => one.recall === recall.recall && one.release === release,
  );
  if (!effect)
    refuse("left_out", `no event here shows what recall ${recall.recall} did to ${release}`);
  const runs = runsOf(story, release).map(({ said }) => said);
  const placed = [...facts.placed.values()].some((one) => one.release === release);
  if (!runs.length && !placed && !effect.ran) {
    return ["never ran", `it was put on no node, says event ${effect.index}`];
  }
  const stops = stopsOf(heard, recall, effect.target);
  if (!stops.length) {
    if (effect.state === "confirmed") {
      refuse("unproven", `event ${effect.index} says confirmed, and no receipt does`);
    }
    return ["open", silence(facts, effect.target)];
  }
  const { said: last, index } = stops.at(-1);
  const signed = `node ${last.node} signed at ${last.at} that nothing of it runs`;
  const after = runs.filter(({ until }) => until > last.moment + STEP);
  if (after.length) {
    const worst = after.reduce((one, other) => (other.until > one.until ? other : one));
    return ["contradicted", `${signed}, and that ${worst.revision} ran until ${worst.ended_at}`];
  }
  if (effect.state === "contradicted") {
    const word = `event ${effect.index} says that it denied this, on the platform's word alone`;
    return ["contradicted", `${signed}, and ${word}`];
  }
  return ["confirmed", `${signed}, event ${index}`];
}

// What the node of a target signed about a recall, that can be true; the latest last.
function stopsOf(heard, recall, target) {
  const since = parseTime(recall.at) - SKEW;
  const can = ({ said, at }) =>
    said.type === STOPPED &&
    said.recall === recall.recall &&
    said.target === target &&
    said.moment >= since &&
    said.moment <= at + SKEW;
  const order = (one, other) =>
    compare(one.said.moment, other.said.moment) || compare(one.index, other.index);
  return heard.filter(can).sort(order);
}

function silence(facts, target) {
  const node = nodeOn(facts, target);
  return node
    ? `node ${node} has not signed that nothing of it runs`
    : `no event here shows a node on target ${target}`;
}
