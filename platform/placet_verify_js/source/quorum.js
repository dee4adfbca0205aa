// Counting approvals: which people count for which "approvals" gate of a policy.

import { isObject } from "./json.js";
import { malformed, refuse } from "./refusal.js";

// The approvals gates of a policy's document.
export function approvalRules({ gates }) {
  if (!Array.isArray(gates)) malformed("the policy has no list of gates");
  if (!gates.every((gate) => isObject(gate) && typeof gate.gate === "string")) {
    malformed("a gate of the policy has no name");
  }
  return gates.filter(({ gate }) => gate === "approvals").map(readRule);
}

function readRule({ role, count = 1, exclude_requester = true, exclude_author = true, passkey = false }) {
  if (typeof role !== "string" || role === "") malformed("an approvals gate names no role");
  if (!Number.isSafeInteger(count) || count < 1) {
    malformed("an approvals gate needs a count of 1 or more");
  }
  const flags = [exclude_requester, exclude_author, passkey];
  if (!flags.every((flag) => typeof flag === "boolean")) {
    malformed("exclude_requester, exclude_author and passkey are true or false");
  }
  return { role, count, exclude_requester, exclude_author, passkey, strictness: flags.filter(Boolean).length };
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
    const how = missed.passkey ? " with a passkey" : "";
    refuse("quorum", `${words(missed)}${how}; ${short.get(missed)} count(s)`);
  }
}

const approvalsNeeded = ({ count, role }) => `the policy needs ${count} approval(s) by a ${role}`;

const counts = (rule, { requester, author }, { person, role, withPasskey }) =>
  role === rule.role &&
  !(rule.exclude_requester && person === requester) &&
  !(rule.exclude_author && person === author) &&
  !(rule.passkey && !withPasskey);
