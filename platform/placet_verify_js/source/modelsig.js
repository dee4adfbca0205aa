// The model's files: the list that was approved, and the OpenSSF signature over them (model.sig).
//
// A model.sig is a Sigstore bundle (v0.3) around an in-toto statement that names the SHA-256 of every
// file. It is taken in one form alone: its signer does not say which files to pass over.

import { fromBase64, fromHex, hex, isDigest, sha256 } from "./bytes.js";
import { STATEMENT } from "./dsse.js";
import { hasExactly, isObject, parseJson } from "./json.js";
import { malformed, refuse } from "./refusal.js";

const LONGEST = 4 << 20;
const MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
const PREDICATE = "https://model_signing/signature/v1.0";
const SHOWN = 3;

const text = (value) => typeof value === "string";
const isHex = (value) => text(value) && isDigest(`sha256:${value}`);
const hasNoMore = (value, names) => Object.keys(value).every((name) => names.includes(name));

// The SHA-256 in hex of each file of an approved list, by path.
export function listedFiles(listed) {
  const entries = Array.isArray(listed) ? listed : [null];
  const files = new Map(entries.map((entry) => [entry?.path, entry?.sha256]));
  if (files.size !== entries.length || ![...files].flat().every(text)) {
    malformed("artifact.json must list files, each once, by path and sha256");
  }
  return files;
}

// The files that a model.sig signs, and the hint at its key: "" where a certificate stands instead.
export async function readModelSignature(bytes) {
  if (bytes.length > LONGEST) malformed("model.sig has more than 4 MiB");
  const bundle = parseJson(bytes, "model.sig");
  exactly(bundle, "it", "mediaType", "verificationMaterial", "dsseEnvelope");
  if (bundle.mediaType !== MEDIA_TYPE) {
    malformed("model.sig is not a Sigstore bundle of version 0.3");
  }
  const { payloadType, payload, signatures } = exactly(
    bundle.dsseEnvelope,
    "its envelope",
    "payload",
    "payloadType",
    "signatures",
  );
  if (
    payloadType !== STATEMENT ||
    !text(payload) ||
    !Array.isArray(signatures) ||
    signatures.length !== 1
  ) {
    malformed("model.sig needs one in-toto payload and one signature");
  }
  const [signature] = signatures;
  if (!isObject(signature) || !text(signature.sig) || !hasNoMore(signature, ["sig", "keyid"])) {
    malformed("the signature in model.sig needs sig, and no more than keyid beside it");
  }
  fromBase64(signature.sig, "model.sig");
  const statement = parseJson(fromBase64(payload, "model.sig"), "model.sig");
  return { files: await signedFiles(statement), hint: readHint(bundle.verificationMaterial) };
}

// Refused unless exactly these files were signed.
export function refuseOtherFiles(signed, files) {
  const both = [...files.keys()].filter((path) => signed.has(path));
  const faults = [
    naming(
      "not signed",
      [...files.keys()].filter((path) => !signed.has(path)),
    ),
    naming(
      "signed, but not there",
      [...signed.keys()].filter((path) => !files.has(path)),
    ),
    naming(
      "not the bytes that were signed",
      both.filter((path) => signed.get(path) !== files.get(path)),
    ),
  ].filter((fault) => fault !== "");
  if (faults.length) refuse("other_files", faults.join("; "));
}

function naming(fault, paths) {
  const more = paths.length > SHOWN ? ` and ${paths.length - SHOWN} more` : "";
  return paths.length ? `${fault}: ${paths.sort().slice(0, SHOWN).join(", ")}${more}` : "";
}

function readHint(material) {
  const given = isObject(material) ? material : {};
  const { publicKey, tlogEntries = [] } = given;
  if (isObject(publicKey) && text(publicKey.hint)) {
    const alone = hasExactly(publicKey, ["hint"]) && hasNoMore(given, ["publicKey", "tlogEntries"]);
    const empty = Array.isArray(tlogEntries) && tlogEntries.length === 0;
    if (alone && empty && isHex(publicKey.hint)) return `sha256:${publicKey.hint}`;
  } else if ("certificate" in given || "x509CertificateChain" in given) {
    return "";
  }
  return malformed("model.sig does not name the key that signed it");
}

// The files that a statement names; every way to leave some out is refused.
async function signedFiles(statement) {
  const said = exactly(
    statement,
    "its statement",
    "_type",
    "subject",
    "predicateType",
    "predicate",
  );
  if (said._type !== STATEMENT_TYPE || said.predicateType !== PREDICATE) {
    malformed("model.sig is no model signature of version 1.0");
  }
  const { serialization, resources } = exactly(
    said.predicate,
    "its predicate",
    "serialization",
    "resources",
  );
  const { method, hash_type, allow_symlinks, ...rest } = isObject(serialization)
    ? serialization
    : {};
  if (method !== "files" || hash_type !== "sha256" || allow_symlinks !== false) {
    malformed("model.sig must sign whole files by SHA-256, and follow no links");
  }
  // whatever it would ignore, we do not
  if (!hasNoMore(rest, ["ignore_paths"]))
    malformed("model.sig was made with a setting that is not known");
  if (!Array.isArray(resources)) malformed("model.sig has no list of files");
  const files = new Map(resources.map(readFile));
  if (files.size !== resources.length) malformed("model.sig names a file twice");
  await checkSubject(said.subject, [...files.values()]);
  return files;
}

function readFile(entry) {
  const known = hasExactly(entry, ["name", "algorithm", "digest"]);
  if (!known || !text(entry.name) || entry.algorithm !== "sha256" || !isHex(entry.digest)) {
    malformed("each file in model.sig needs a name and its SHA-256, and no more");
  }
  return [entry.name, entry.digest];
}

async function checkSubject(subject, digests) {
  const whole = hex(await sha256(...digests.map(fromHex)));
  const [one] = Array.isArray(subject) && subject.length === 1 ? subject : [];
  const known = hasExactly(one, ["name", "digest"]) && hasExactly(one.digest, ["sha256"]);
  if (!known || !text(one.name) || one.digest.sha256 !== whole) {
    malformed("the subject of model.sig is not the hash over its files");
  }
}

function exactly(value, what, ...names) {
  if (!hasExactly(value, names)) {
    malformed(`model.sig: ${what} must hold ${names.join(", ")}, and no more`);
  }
  return value;
}
