// The page: takes files, says line by line what they prove. Nothing leaves the browser.

import { verifyBundle } from "./bundle.js";
import { digest, textOf } from "./bytes.js";
import { canonical, parseJson } from "./json.js";
import { publicKey } from "./keys.js";
import { lights } from "./lights.js";
import { verifyConsistency, verifyInclusion } from "./merkle.js";
import { readProof, verifyCheckpoint, verifyProof } from "./note.js";
import { SEALED_KINDS } from "./seals.js";
import { checkServing, destination, mayBeSet } from "./serving.js";
import { readZip } from "./zip.js";

const LARGEST_BENTO = 1 << 30; // browsers hash what they can hold
const WORDS = {
  proved: ["✓", "proved"],
  unchecked: ["–", "not checked"],
  refused: ["✗", "refused"],
  contradicted: ["!", "contradicted"],
  recalled: ["!", "recalled"],
};
const VERDICTS = {
  proved: ["proved", "Approved as its policy demands, and all of it is in the log."],
  alone: [
    "unchecked",
    "Its signatures hold among themselves; whose they are is not shown without the root key.",
  ],
  refused: ["refused", "Refused. Do not rely on this bundle."],
  recalled: ["recalled", "Approved as its policy demands, and recalled since: it must not run."],
  unable: ["unchecked", "This browser cannot check it."],
};
const chosen = { bundle: null, root: null, bento: null };
let run = 0; // of several runs at once only the newest may speak

const element = (id) => document.getElementById(id);

async function bytesOf(file) {
  return new Uint8Array(await file.arrayBuffer());
}

// Verify what is chosen and show it.
async function verify() {
  run += 1;
  const mine = run;
  const rooted = Boolean(chosen.root);
  const lines = [];
  const say = (kind, line) => lines.push([kind, line]);
  show("working", "Verifying …", []);
  const missing = await missingHere();
  if (missing) say("unchecked", missing);
  const code = missing ? "" : await verdictOn(say);
  if (mine !== run) return;
  const recalled = lines.some(([kind]) => kind === "recalled");
  const accepted = !rooted ? "alone" : recalled ? "recalled" : "proved";
  const verdict = missing ? "unable" : code ? "refused" : accepted;
  const shown = missing ? [] : lights(lines, { rooted, refused: Boolean(code), now: Date.now() });
  show(...VERDICTS[verdict], lines, shown);
}

async function verdictOn(say) {
  try {
    const files = await readZip(await bytesOf(chosen.bundle));
    const root = chosen.root ? await bytesOf(chosen.root) : null;
    return await verifyBundle(files, { root, bento: await chosenBento(say) }, say);
  } catch (fault) {
    say("refused", fault.message);
    return fault.code ?? "malformed";
  }
}

async function chosenBento(say) {
  if (!chosen.bento) return null;
  if (chosen.bento.size > LARGEST_BENTO) {
    say(
      "unchecked",
      "not checked: the Bento is larger than 1 GiB: compare it with placet-verify.pyz",
    );
    return null;
  }
  return { name: chosen.bento.name, digest: await digest(await bytesOf(chosen.bento)) };
}

// What this browser lacks to verify anything; '' when it answers a known signature rightly
// (RFC 8032, section 7.1, test 1).
async function missingHere() {
  const unhex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
  if (!globalThis.crypto?.subtle) return "This browser lets no local page verify signatures.";
  if (typeof DecompressionStream === "undefined") return "This browser is too old to open a zip.";
  try {
    const key = await publicKey(
      unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
    );
    const signature = unhex(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155" +
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    );
    const right = await key.verifies(signature, new Uint8Array(0));
    const wrong = await key.verifies(signature, new Uint8Array(1));
    return right && !wrong ? "" : "This browser verifies Ed25519 signatures wrongly.";
  } catch {
    return "This browser is too old to verify Ed25519 signatures.";
  }
}

function show(kind, sentence, lines, answers = []) {
  const verdict = element("verdict");
  verdict.dataset.kind = kind;
  verdict.textContent = WORDS[kind] ? `${WORDS[kind][0]} ${sentence}` : sentence;
  element("lights").replaceChildren(...answers.map(light));
  element("lines").replaceChildren(...lines.map(([one, line]) => row(one, line)));
  element("result").hidden = false;
}

function light([question, kind, answer]) {
  const item = document.createElement("div");
  item.dataset.kind = kind;
  const asked = document.createElement("dt");
  asked.textContent = `${WORDS[kind][0]} ${question}`;
  const said = document.createElement("dd");
  said.textContent = answer;
  item.append(asked, said);
  return item;
}

function row(kind, line) {
  const [icon, word] = WORDS[kind];
  const item = document.createElement("li");
  item.dataset.kind = kind;
  const label = document.createElement("span");
  label.className = "kind";
  label.textContent = `${icon} ${word}`;
  const text = document.createElement("span");
  const said = `${word}: `; // the label says so
  text.textContent = line.startsWith(said) ? line.slice(said.length) : line;
  item.append(label, text);
  return item;
}

function choose(kind, file) {
  run += 1; // what was chosen before is not what is shown
  chosen[kind] = file;
  element(`${kind}-name`).textContent = file ? file.name : "";
  if (chosen.bundle) verify();
  else element("result").hidden = true;
}

// A file that was dropped, by its name.
const kindOf = ({ name }) =>
  /\.zip$/i.test(name) ? "bundle" : /\.(pub|pem)$/i.test(name) ? "root" : "bento";

function listen() {
  for (const kind of Object.keys(chosen)) {
    element(kind).addEventListener("change", ({ target }) => choose(kind, target.files[0] ?? null));
  }
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    for (const file of event.dataTransfer.files) choose(kindOf(file), file);
  });
}

listen();

// For programs that drive this page.
globalThis.placetVerify = Object.freeze({
  SEALED_KINDS,
  canonical,
  checkServing,
  destination,
  lights,
  mayBeSet,
  parseJson,
  publicKey,
  readProof,
  readZip,
  textOf,
  verifyBundle,
  verifyCheckpoint,
  verifyConsistency,
  verifyInclusion,
  verifyProof,
});
