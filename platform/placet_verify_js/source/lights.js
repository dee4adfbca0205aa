// The three questions of an outsider, answered from what the verification said line by line:
// authentic, approved under its policy, recalled.

const UNTIL = /, to be started until (\S+)$/;
const UNTOLD = "Not told: what was refused proves nothing.";

// `lines` are pairs of kind and line, in the order that they were said; `rooted` tells whether the
// root key was given beside the bundle; `refused` whether the verification ended in a refusal;
// `now` is an instant in ms. Returns for each question its title, a kind, and a sentence.
export function lights(lines, { rooted, refused, now }) {
  return [
    ["Authentic", ...authentic(rooted, refused)],
    ["Approved under its policy", ...(refused ? ["unchecked", UNTOLD] : approved(lines, rooted))],
    ["Still valid", ...(refused ? ["unchecked", UNTOLD] : valid(lines, now))],
  ];
}

function authentic(rooted, refused) {
  if (refused) return ["refused", "No: the last line says what does not fit."];
  return rooted
    ? ["proved", "Yes: signed by keys of the root that you were given, and in its log."]
    : ["unchecked", "Not told: only the root key that you were given in person can tell."];
}

// Whoever makes up a root makes up people and a policy as well.
function approved(lines, rooted) {
  if (!rooted) return ["unchecked", "So say keys that came with the bundle, which prove nothing."];
  const quorum = lines.find(([, line]) => line.startsWith("quorum: "));
  return quorum[1].startsWith("quorum: not ")
    ? [
        "contradicted",
        "By an emergency release that the policy provides for, not by its approvals.",
      ]
    : ["proved", "Yes: the people whom the policy asks for approved it."];
}

// Never "proved": whoever hands a bundle over can leave a recall out, and a later one is in none.
function valid(lines, now) {
  if (lines.some(([kind]) => kind === "recalled")) {
    return ["recalled", "No: recalled. It must not run."];
  }
  if (lines.some(([kind]) => kind === "contradicted")) {
    return ["contradicted", "In doubt: what nodes signed contradicts itself or a recall."];
  }
  const until = lines.map(([, line]) => UNTIL.exec(line)).find(Boolean)[1];
  const over = Date.parse(until) < now ? ` It was to be started until ${until}.` : "";
  return [
    "unchecked",
    `No recall is in this bundle, but one can be left out of it: ask Placet itself.${over}`,
  ];
}
