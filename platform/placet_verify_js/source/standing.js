// Rules about independence: whether a person, where they stood when they decided, meets a demand.

import { hasExactly } from "./json.js";

const LINES = ["", "first", "second", "third"];
const CHAINS = ["reports_to", "requester_reports_to", "author_reports_to"];
const SETS = ["touched", "data_owners", "code_authors"];

// The demands of a gate, in the order in which they are said, and in words.
export const DEMANDS = {
  second_line: "of the second line",
  other_reporting_line: "in another reporting line",
  not_last_touched: "who did not touch the artifact",
  not_data_owner: "who does not own the data",
  not_code_author: "who did not write the training code",
};

const people = (value) =>
  Array.isArray(value) && value.every((one) => typeof one === "string" && one !== "");
const unique = (value) => new Set(value).size === value.length;
const sorted = (value) => value.every((one, at) => at === 0 || before(value[at - 1], one));

// By code points, as ids are sorted; UTF-16 would order some letters otherwise.
function before(one, other) {
  const [mine, theirs] = [[...one], [...other]];
  for (let at = 0; at < mine.length && at < theirs.length; at += 1) {
    if (mine[at] !== theirs[at]) return mine[at].codePointAt(0) < theirs[at].codePointAt(0);
  }
  return mine.length < theirs.length;
}

// Whether a value has the exact form of a standing. What is not known is null.
export const isStanding = (value) =>
  hasExactly(value, ["line", ...CHAINS, ...SETS]) &&
  LINES.includes(value.line) &&
  CHAINS.every((name) => value[name] === null || (people(value[name]) && unique(value[name]))) &&
  SETS.every((name) => value[name] === null || (people(value[name]) && sorted(value[name])));

// Whether a decision meets one demand. A decision that says nothing of it meets none.
export function meets(demand, { requester, author }, { person, standing }) {
  if (!standing) return false;
  switch (demand) {
    case "second_line":
      return standing.line === "second";
    case "other_reporting_line":
      return (
        apart(person, standing.reports_to, requester, standing.requester_reports_to) &&
        apart(person, standing.reports_to, author, standing.author_reports_to)
      );
    case "not_last_touched":
      return outside(person, standing.touched);
    case "not_data_owner":
      return outside(person, standing.data_owners);
    case "not_code_author":
      return outside(person, standing.code_authors);
    default:
      return false;
  }
}

const outside = (person, known) => known !== null && !known.includes(person);

// Two lines that meet at the top alone, if at all: neither person is above the other, and nobody
// below the top is above both.
function apart(one, above, other, aboveOther) {
  if (above === null || aboveOther === null) return false;
  const mine = [one, ...above];
  const theirs = [other, ...aboveOther];
  if (theirs.includes(one) || mine.includes(other)) return false;
  const below = new Set(theirs.slice(0, -1));
  return !mine.slice(0, -1).some((person) => below.has(person));
}
