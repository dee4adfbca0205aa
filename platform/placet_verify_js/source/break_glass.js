// A broken glass: instead of the whole quorum one person opened the release as responder, with a
// reason and a time limit, and others confirmed exactly that; where the policy said so beforehand.

import { isObject } from "./json.js";
import { checkQuorum } from "./quorum.js";
import { malformed, refuse } from "./refusal.js";
import { parseTime } from "./times.js";

const HOUR = 3_600_000_000n;
const SKIPPABLE = ["evidence", "expression", "freeze", "plan", "schema", "soaked"];

const between = (value, low, high) => Number.isSafeInteger(value) && value >= low && value <= high;

// Refused unless these statements, each on this request and of a person of its own, break the glass
// as the policy's document lets people.
export function checkGlass(glass, document, approvals, request) {
  const { people, hours, passkey } = glassRule(document, approvals);
  for (const one of glass) {
    if (!one.opening && !one.comment_commitment) malformed("whoever opens it gives a reason");
  }
  const openings = glass.filter(({ opening }) => opening === "");
  if (openings.length !== 1 || openings[0].role !== "responder") {
    refuse("opening", "one responder must have opened the break-glass");
  }
  const [opening] = openings;
  const [begins, ends] = [parseTime(opening.at), parseTime(opening.until)];
  if (ends > begins + BigInt(hours) * HOUR) {
    refuse("too_long", `the break-glass lasts longer than ${hours} hours`);
  }
  if (ends < begins) refuse("too_short", "the break-glass ended before it was opened");
  for (const one of glass.filter((found) => found !== opening)) {
    if (one.opening !== opening.digest || one.until !== opening.until) {
      refuse("other_opening", `${one.person} confirmed another break-glass`);
    }
    const at = parseTime(one.at);
    if (at < begins || at > ends) {
      refuse("confirmed_too_late", `${one.person} did not confirm it before ${opening.until}`);
    }
  }
  const opener = { role: "responder", count: 1, exclude_requester: false, exclude_author: false };
  const others = {
    role: "approver",
    count: people - 1,
    exclude_requester: true,
    exclude_author: true,
  };
  const rules = [
    { ...opener, passkey, demands: [], strictness: passkey ? 1 : 0 },
    { ...others, passkey, demands: [], strictness: passkey ? 3 : 2 },
  ];
  checkQuorum(
    rules,
    request,
    glass,
    ({ count, role }) => `to break the glass the policy needs ${count} ${role}(s)`,
  );
}

// Passkeys are demanded where the document says so here, or in any of its approvals gates.
function glassRule({ break_glass: said = null }, approvals) {
  if (said === null) refuse("no_break_glass", "the policy lets nobody break the glass");
  if (!isObject(said)) malformed("break_glass must be an object");
  const { people = 2, hours = 4, passkey = false, skip = [] } = said;
  if (!between(people, 2, 5) || !between(hours, 1, 72)) {
    malformed("break_glass needs 2 to 5 people and 1 to 72 hours");
  }
  if (typeof passkey !== "boolean") malformed("passkey of break_glass is true or false");
  if (!Array.isArray(skip) || !skip.every((name) => SKIPPABLE.includes(name))) {
    malformed("break_glass skips a gate that nobody gets past");
  }
  return { people, hours, passkey: passkey || approvals.some((rule) => rule.passkey) };
}
