// Counting approvals: which people count for which "approvals" gate of a policy.

import { isObject } from "./json.js";
import { malformed, refuse } from "./refusal.js";
import { DEMANDS, meets } from "./standing.js";

const [SECOND_LINE, ...PLAIN] = Object.keys(DEMANDS);

// The approvals gates of a policy's document. One that wants some of its people from the second line
// is two rules: theirs, and the rest.
export function approvalRules({ gates }) {
  if (!Array.isArray(gates)) malformed("the policy has no list of gates");
  if (!gates.every((gate) => isObject(gate) && typeof gate.gate === "string")) {
    malformed("a gate of the policy has no name");
  }
  return gates.filter(({ gate }) => gate === "approvals").flatMap(readRules);
}

function readRules(gate) {
  const {
    role,
    count = 1,
    exclude_requester = true,
    exclude_author = true,
    passkey = false,
  } = gate;
  if (typeof role !== "string" || role === "") malformed("an approvals gate names no role");
  if (!Number.isSafeInteger(count) || count < 1) {
    malformed("an approvals gate needs a count of 1 or more");
  }
  const flags = [exclude_requester, exclude_author, passkey];
  if (!flags.every((flag) => typeof flag === "boolean")) {
    malformed("exclude_requester, exclude_author and passkey are true or false");
  }
  if (!PLAIN.every((name) => !Object.hasOwn(gate, name) || typeof gate[name] === "boolean")) {
    malformed(`${PLAIN.join(", ")} are true or false`);
  }
  const rest = PLAIN.filter((name) => gate[name] === true);
  const second = readSecond(count, gate[SECOND_LINE]);
  const rule = (places, demands) => ({
    role,
    count: places,
    exclude_requester,
    exclude_author,
    passkey,
    demands,
    strictness: flags.filter(Boolean).length + demands.length,
  });
  const both = [rule(second, [SECOND_LINE, ...rest]), rule(count - second, rest)];
  return both.filter((one) => one.count > 0);
}

// How many of a gate's people are of the second line: a number of them, or "all".
function readSecond(count, wanted = 0) {
  if (wanted === "all") return count;
  if (!Number.isSafeInteger(wanted) || wanted < 0 || wanted > count) {
    malformed("second_line is all, or a number up to the count");
  }
  return wanted;
}

// Refused unless every rule has its people. Each counts for one rule alone; the rules that exclude
// most choose first, equals in the policy's order, and each takes the first decisions that fit.
export function checkQuorum(rules, request, decisions, words = approvalsNeeded) {
  const left = new Set(decisions);
  const strictestFirst = [...rules].sort((one, other) => other.strictness - one.strictness);
  const short = new Map();
  for (const rule of strictestFirst) {
    const counting = [...left].filter((decision) => counts(rule, request, decision));
    const taken = counting.slice(0, rule.count);
    for (const decision of taken) left.delete(decision);
    if (taken.length < rule.count) short.set(rule, taken.length);
  }
  const missed = rules.find((rule) => short.has(rule));
  if (missed) {
    refuse("quorum", `${words(missed)}${said(missed)}; ${short.get(missed)} count(s)`);
  }
}

const approvalsNeeded = ({ count, role }) => `the policy needs ${count} approval(s) by a ${role}`;

// What is asked of each of a rule's people beside the role.
function said({ passkey, demands }) {
  const words = [...(passkey ? ["with a passkey"] : []), ...demands.map((one) => DEMANDS[one])];
  return words.length ? ` ${words.join(", ")}` : "";
}

const counts = (rule, request, decision) =>
  fits(rule, request, decision) && rule.demands.every((demand) => meets(demand, request, decision));

const fits = (rule, { requester, author }, { person, role, withPasskey }) =>
  role === rule.role &&
  !(rule.exclude_requester && person === requester) &&
  !(rule.exclude_author && person === author) &&
  !(rule.passkey && !withPasskey);
