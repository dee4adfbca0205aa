// The three questions of an outsider, answered from what the verification said line by line:
// authentic, approved under its policy, still valid.

const UNTIL = /, to be started until (\S+)$/;

// `lines` are pairs of kind and line, in the order that they were said; `rooted` tells whether the
// root key was given beside the bundle; `refused` whether the verification ended in a refusal;
// `now` is an instant in ms. Returns for each question its title, a kind, and a sentence.
export function lights(lines, { rooted, refused, now }) {
  if (refused) {
    const open = "Not told: what was refused proves nothing.";
    return [
      ["Authentic", "refused", "No: the last line says what does not fit."],
      ["Approved under its policy", "unchecked", open],
      ["Still valid", "unchecked", open],
    ];
  }
  return [
    ["Authentic", ...authentic(rooted)],
    ["Approved under its policy", ...approved(lines)],
    ["Still valid", ...valid(lines, now)],
  ];
}

const authentic = (rooted) =>
  rooted
    ? ["proved", "Yes: signed by keys of the root that you were given, and in its log."]
    : ["unchecked", "Not told: only the root key that you were given in person can tell."];

function approved(lines) {
  const quorum = lines.find(([, line]) => line.startsWith("quorum: "));
  return quorum[1].startsWith("quorum: not ")
    ? ["contradicted", "By an emergency release that the policy provides for, not by its approvals."]
    : ["proved", "Yes: the people whom the policy asks for approved it."];
}

function valid(lines, now) {
  if (lines.some(([kind]) => kind === "recalled")) {
    return ["recalled", "No: recalled since. It must not run."];
  }
  if (lines.some(([kind]) => kind === "contradicted")) {
    return ["contradicted", "In doubt: what nodes signed contradicts itself or a recall."];
  }
  if (lines.some(([, line]) => line.includes("a bundle of format 1 has no receipts"))) {
    return ["unchecked", "Not told: a bundle of this age says nothing of recalls."];
  }
  const until = lines.map(([, line]) => UNTIL.exec(line)).find(Boolean)[1];
  return Date.parse(until) < now
    ? ["unchecked", `Not recalled when the bundle was made. It was to be started until ${until}.`]
    : ["proved", "Yes: not recalled when the bundle was made. A later bundle may say otherwise."];
}
