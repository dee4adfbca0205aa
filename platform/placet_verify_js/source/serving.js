// What a serving configuration may say: its members, what may be reached, which variables are set.
// One without `egress` was approved under earlier rules, and nothing of it is judged again.

import { isObject } from "./json.js";
import { refuse } from "./refusal.js";

const MEMBERS = [
  "replicas",
  "max_replicas",
  "memory_mb",
  "variables",
  "unit",
  "capture",
  "egress",
  "server",
  "limits",
  "target_inflight",
  "min_replicas",
  "secrets",
];
const LIMITS = {
  request_seconds: [1, 120],
  in_flight: [1, 1000],
  queue: [0, 1000],
  queue_seconds: [1, 30],
  rate: [1, 10000],
};
const MOST_SECRETS = 32;
const FILE = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const SLUG = "[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?";
const SECRET = new RegExp(`^(?:${SLUG}/)?${SLUG}$`);
const MOST_DESTINATIONS = 32;
const MOST_VARIABLES = 50;
const LONGEST_VALUE = 4096;
const MOST_BYTES = 32 * 1024; // of the names and values of all variables
const MOST_REPLICAS = 64;
const MOST_INFLIGHT = 1000;
const [LEAST_MEMORY, MOST_MEMORY] = [64, 1024 * 1024]; // MB
const WRONG = "is not host:port, with a name or an address and a port from 1 to 65535";

const words = (text) => text.trim().split(/\s+/);
// Names that no release sets: what a process runs, loads, reads or trusts is decided by them.
const NEVER = new Set(
  words(`
  PATH HOME TMPDIR TMP TEMP TEMPDIR USER USERNAME LOGNAME PWD OLDPWD
  SHELL SHELLOPTS ENV IFS PS0 PS1 PS2 PS3 PS4 PROMPT_COMMAND CDPATH FPATH ZDOTDIR GLOBIGNORE
  EXECIGNORE HISTFILE INPUTRC FCEDIT
  CC CXX CPP LD AR AS NVCC MAKEFLAGS EDITOR VISUAL PAGER BROWSER LESSOPEN LESSCLOSE
  LANG LANGUAGE LOCPATH NLSPATH I18NPATH TEXTDOMAIN TEXTDOMAINDIR OUTPUT_CHARSET TZDIR DATEMSK
  MSGVERB SEV_LEVEL POSIXLY_CORRECT GETCONF_DIR GMON_OUT_PREFIX PCPROFILE_OUTPUT SEGFAULT_SIGNALS
  RES_OPTIONS HOSTALIASES LOCALDOMAIN NIS_PATH
  CLASSPATH JDK_JAVA_OPTIONS GODEBUG R_HOME R_LIBS R_LIBS_USER R_PROFILE R_PROFILE_USER R_ENVIRON
  R_ENVIRON_USER VIRTUAL_ENV MPLBACKEND MPLCONFIGDIR
  SSLKEYLOGFILE REQUESTS_CA_BUNDLE AWS_CA_BUNDLE HTTPLIB2_CA_CERTS NETRC WGETRC SASL_PATH LDAPCONF
  LDAPRC ODBCINI ODBCSYSINI ODBCINSTINI
  REQUEST_METHOD GATEWAY_INTERFACE WEB_CONCURRENCY FORWARDED_ALLOW_IPS
  NOTIFY_SOCKET MAINPID JOURNAL_STREAM CREDENTIALS_DIRECTORY
  HEAPPROFILE CPUPROFILE HSA_TOOLS_LIB ROCP_TOOL_LIB
`),
);
const NEVER_BEGINS = words(`
  PLACET_ BENTOML_ LD_ DYLD_ GLIBC_ LIBC_ MUSL_ MALLOC_ TCMALLOC_ JEMALLOC_ JE_MALLOC_ MEMUSAGE_
  GCONV_ LC_ RESOLV_ BASH KSH_ ZSH_ PYTHON PYTEST_ PYDEVD_ DEBUGPY_ COVERAGE_ SETUPTOOLS_ DISTUTILS_
  IPYTHON PIP_ UV_ CONDA_ PERL RUBY GEM_ BUNDLE_ NODE_ NPM_ JAVA_ LUA_ PHP TCL JULIA_ GUILE_ ERL_
  DOTNET_ CORECLR_ COMPLUS_ MONO_ SSL_ OPENSSL_ GNUTLS_ NSS_ P11_ PKCS11 KRB5 CURL_ GRPC_ SOCKS
  TSOCKS_ PROXYCHAINS_ GIT_ SSH_ SUDO_ CIRCUS UVICORN_ UVLOOP_ GUNICORN_ PROMETHEUS_ OTEL_PYTHON_
  LISTEN_ WATCHDOG_ XDG_ DBUS_ TERMINFO TERMCAP OMP_TOOL INTEL_ CUDA_INJECTION NVTX_INJECTION OMPI_
  OPAL_ PMIX_ I_MPI_ UCX_ GIO_ GTK_ QT_ GST_ FONTCONFIG_
`);
const NEVER_ENDS = ["_PROXY", "_PRELOAD", "_LIBRARY_PATH", "_PLUGIN_PATH"];

// Refuse what no node may run, as far as members, destinations and variables go.
export function checkServing(serving) {
  if (Object.hasOwn(serving, "secrets")) checkSecrets(serving);
  if (egressOf(serving) === null) return;
  for (const name of Object.keys(serving)) {
    if (!MEMBERS.includes(name)) no(`it has a member ${name}, which is not known`);
  }
  checkNumbers(serving);
  if (Object.hasOwn(serving, "server") && serving.server !== "slim") {
    no("server is slim or left out");
  }
  if (Object.hasOwn(serving, "limits")) checkLimits(serving);
  checkVariables(Object.hasOwn(serving, "variables") ? serving.variables : {});
}

const lies = (value, low, high) => Number.isInteger(value) && low <= value && value <= high;

function checkLimits(serving) {
  const limits = serving.limits;
  if (!isObject(limits) || Object.keys(limits).length === 0) no("limits are some, or left out");
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(LIMITS, name)) no(`limits have a member ${name}, which is not known`);
    const [low, high] = LIMITS[name];
    if (!lies(value, low, high)) no(`limits/${name} is ${low} to ${high}`);
    const waits = serving.min_replicas === 0 || Object.hasOwn(limits, "in_flight");
    if (name.startsWith("queue") && !waits) {
      no(`limits/${name} needs in_flight`);
    }
  }
}

function checkSecrets({ secrets, ...others }) {
  const files = isObject(secrets) ? Object.keys(secrets) : [];
  if (files.length === 0 || files.length > MOST_SECRETS) no(`secrets are 1 to ${MOST_SECRETS}`);
  if (!Object.hasOwn(others, "egress")) no("secrets need egress beside them");
  for (const file of files) {
    const name = secrets[file];
    if (!FILE.test(file)) no(`secrets are in a file ${file}, which no file is called`);
    if (typeof name !== "string" || !SECRET.test(name)) no(`secrets/${file} names no secret`);
  }
}

function checkNumbers(serving) {
  const given = (name, otherwise) => (Object.hasOwn(serving, name) ? serving[name] : otherwise);
  const replicas = given("replicas", 1);
  if (!lies(replicas, 1, MOST_REPLICAS)) no(`replicas are 1 to ${MOST_REPLICAS}`);
  if (!lies(given("max_replicas", replicas), replicas, MOST_REPLICAS)) {
    no(`max_replicas are ${replicas} to ${MOST_REPLICAS}`);
  }
  if (!lies(given("memory_mb", LEAST_MEMORY), LEAST_MEMORY, MOST_MEMORY)) {
    no(`memory_mb is ${LEAST_MEMORY} to ${MOST_MEMORY}`);
  }
  checkScaling(serving, replicas);
}

function checkScaling(serving, replicas) {
  const says = (name) => Object.hasOwn(serving, name);
  if (says("target_inflight") && !lies(serving.target_inflight, 1, MOST_INFLIGHT)) {
    no(`target_inflight is 1 to ${MOST_INFLIGHT}`);
  }
  if (!says("min_replicas")) return;
  if (!says("target_inflight")) no("min_replicas needs target_inflight");
  if (!lies(serving.min_replicas, 0, replicas)) no(`min_replicas are 0 to ${replicas}`);
}

function checkVariables(variables) {
  if (!isObject(variables) || Object.keys(variables).length > MOST_VARIABLES) {
    no(`variables are at most ${MOST_VARIABLES} names with their values`);
  }
  let bytes = 0;
  for (const [name, value] of Object.entries(variables)) {
    if (!mayBeSet(name)) no(`no release may set the variable ${name}`);
    if (!isValue(value)) no(`the variable ${name} is not one line of text that can be seen`);
    bytes += new TextEncoder().encode(name + value).length;
  }
  if (bytes > MOST_BYTES) no(`variables have more than ${MOST_BYTES} bytes together`);
}

// Whether a release may set this name, when its version declares it.
export function mayBeSet(name) {
  return (
    /^[A-Z][A-Z0-9_]{0,62}$/.test(name) &&
    !NEVER.has(name) &&
    !NEVER_BEGINS.some((beginning) => name.startsWith(beginning)) &&
    !NEVER_ENDS.some((end) => name.endsWith(end))
  );
}

// What cannot be seen, or not told from a space, and what is no character: by number, since
// versions of Unicode differ. The last two of each plane are none.
const UNSEEN = new RegExp(
  "[\\u0000-\\u001f\\u007f-\\u00a0\\u00ad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u1680\\u180e" +
    "\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\ud800-\\uf8ff\\ufdd0-\\ufdef\\ufeff\\ufff0-\\ufffb" +
    "\\ufffe\\uffff\\u{110bd}\\u{110cd}\\u{13430}-\\u{1343f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}" +
    "\\u{e0000}-\\u{e00ff}\\u{e01f0}-\\u{e0fff}\\u{f0000}-\\u{10ffff}]",
  "u",
);
const isNone = (letter) => (letter.codePointAt(0) & 0xfffe) === 0xfffe;

const isValue = (value) =>
  typeof value === "string" &&
  [...value].length <= LONGEST_VALUE &&
  !UNSEEN.test(value) &&
  ![...value].some(isNone);

// What the network of a replica is, in words.
export function saidNetwork(serving) {
  const egress = egressOf(serving);
  if (egress === null) return "older isolation: the host's network";
  return egress.length === 0 ? "may reach nothing" : `may reach: ${egress.join(", ")}`;
}

// The destinations in their one form; null where the configuration is from before there were any.
function egressOf(serving) {
  if (!Object.hasOwn(serving, "egress")) return null;
  const { egress } = serving;
  if (!Array.isArray(egress) || egress.length > MOST_DESTINATIONS) {
    no(`egress lists at most ${MOST_DESTINATIONS} destinations`);
  }
  const found = egress.map(destination);
  if (new Set(found).size !== found.length) no("egress names a destination twice");
  return found;
}

// One destination in its one form: capital letters of a name become small.
export function destination(text) {
  const parts = typeof text === "string" ? /^([\s\S]*):([1-9][0-9]{0,4})$/.exec(text) : null;
  if (!parts || Number(parts[2]) > 65535) no(`${text} ${WRONG}`);
  const host = parts[1].replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const bracketed = /^\[([0-9a-f:]+)\]$/.exec(parts[1]);
  const last = host.slice(host.lastIndexOf(".") + 1);
  const right = bracketed
    ? isOtherHost6(bracketed[1])
    : /^([0-9]+|0x[0-9a-f]*)$/.test(last)
      ? isOtherHost4(parts[1])
      : isName(host);
  if (!right) no(`${text} ${WRONG}`);
  return `${host}:${parts[2]}`;
}

function isName(host) {
  const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
  const labels = host.split(".");
  return (
    host.length <= 253 && labels.every((one) => label.test(one)) && labels.at(-1) !== "localhost"
  );
}

// Not this network, not the replica itself, not everybody, not what is reserved.
function isOtherHost4(host) {
  const bytes = host.split(".");
  const right = (one) => /^(0|[1-9][0-9]{0,2})$/.test(one) && Number(one) < 256;
  const first = Number(bytes[0]);
  return bytes.length === 4 && bytes.every(right) && first !== 0 && first !== 127 && first < 224;
}

// In its shortest form (RFC 5952), which URLs are written in; none that holds an IPv4 address.
function isOtherHost6(host) {
  const written = URL.canParse(`http://[${host}]/`) ? new URL(`http://[${host}]/`).hostname : "";
  if (written !== `[${host}]`) return false;
  const groups = groupsOf(host);
  const begins = groups.slice(0, 5).every((group) => group === 0);
  const holds4 = begins && (groups[5] === 0 || groups[5] === 0xffff);
  return !holds4 && groups[0] < 0xff00;
}

function groupsOf(host) {
  const [before, after] = host.split("::").map((part) => (part === "" ? [] : part.split(":")));
  const all =
    after === undefined
      ? before
      : [...before, ...Array(8 - before.length - after.length).fill("0"), ...after];
  return all.map((group) => parseInt(group, 16));
}

const no = (sentence) => refuse("serving", `the serving configuration is refused: ${sentence}`);
