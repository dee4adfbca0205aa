// A rollout over time: its weight, and what the old revision, the new one and its copies answered.
window.placetSeries(({ box, quantile, seconds, show, percent, last, line }) => {
  const NEW = "--tblr-primary",
    OLD = "--tblr-secondary",
    COPIES = "--wait";
  // what a rollback goes to is not new: the page says what both are called
  const { coming, leaving } = box.dataset;
  const dashes = [5, 4]; // the old revision is dashed: nobody has to tell colours apart
  const when = (data) => (data.growing ? "" : "at the end: "); // what was planned
  // the weight that a stretch began with, and each that it was changed to before it ended
  const target = (data, at) => {
    const end = Math.min(seconds(at) + data.seconds, seconds(data.until));
    const known = data.planned.filter((p) => seconds(p.at) < end);
    const before = known.filter((p) => seconds(p.at) <= seconds(at)).at(-1);
    const during = known.filter((p) => seconds(p.at) > seconds(at));
    const weights = [before?.weight ?? 0, ...during.map((p) => p.weight)];
    return weights
      .filter((weight, place) => weight !== weights[place - 1])
      .map((weight) => show(weight / 100, "%"))
      .join(" → ");
  };
  // What figures are of: of what is over the last stretch that was counted, which may lie before
  // the end and have other weights than that.
  const counted = (data) => {
    const at = data.points.at(-1)?.at;
    if (data.growing || !at) return "";
    return `last counted ${placetTimes.local(at).slice(11)}, at ${target(data, at)}: `;
  };
  const latest = (data, values) => (data.growing ? last(values) : (values.at(-1) ?? null));
  const of = (data, side, get) => data.points.map((p) => (p[side] ? get(p[side]) : null));

  // Each panel: its unit, its least height, its lines, and the columns for them (times first).
  const panels = {
    weight: (data, times) => {
      const ends = data.planned.map((p) => [seconds(p.at), p.weight / 100]);
      ends.push([seconds(data.until), ends.at(-1)[1]]);
      const measured = data.points.map((p) => percent(p.share));
      // a newest stretch that began before the present weight was applied has a share of both
      const begun = Math.max(seconds(data.planned.at(-1).at), seconds(data.applied));
      const mixed = data.points.length > 0 && seconds(data.points.at(-1).at) < begun;
      const unmeasured = data.growing ? "not measured" : "too short to measure";
      const seen = mixed ? unmeasured : `measured ${show(last(measured), "%")}`;
      return {
        unit: "%",
        least: 1,
        says: `${when(data)}planned ${show(last(ends)[1], "%")}, ${seen}`,
        lines: [
          line("planned", OLD, dashes, {
            paths: uPlot.paths.stepped({ align: 1 }),
            points: { show: false },
          }),
          line("measured", NEW),
        ],
        columns: uPlot.join([
          [ends.map((e) => e[0]), ends.map((e) => e[1])],
          [times, measured],
        ]),
      };
    },
    errors: (data, times) => both(data, times, "%", 1, [["", (m) => percent(m.error_rate)]]),
    latency: (data, times) =>
      both(data, times, "ms", 5, [
        ["p50", (m) => quantile(m, "p50_ms")],
        ["p95", (m) => quantile(m, "p95_ms")],
      ]),
    requests: (data, times) => both(data, times, "/s", 1, [["", (m) => m.per_second]]),
  };

  // The same figures of the old revision, the new one, and the copies that it got, if any.
  const both = (data, times, unit, least, figures) => {
    const sides = [
      ["old", leaving, OLD, dashes],
      ["new", coming, NEW, undefined],
    ];
    if (data.points.some((p) => p.copies))
      sides.push(["copies", `copies to ${coming}`, COPIES, [2, 3]]);
    const lines = [],
      columns = [times],
      said = [];
    for (const [name, get] of figures) {
      for (const [side, words, colourName, dash] of sides) {
        const values = of(data, side, get),
          label = `${words} ${name}`.trim();
        lines.push(line(label, colourName, dash, { width: name === "p50" ? 1 : 1.75 }));
        columns.push(values);
        said.push(`${label} ${show(latest(data, values), unit)}`);
      }
    }
    return { unit, least, lines, columns, says: counted(data) + said.join(", ") };
  };

  // The same for who does not see the lines: newest first, in words and numbers.
  const side = (m) => {
    if (!m) return "–";
    const latency = ["p50", "p95", "p99"].map((p) => `${p} ${show(quantile(m, `${p}_ms`), "ms")}`);
    const errors = `${show(percent(m.error_rate), "%")} server errors`;
    return [`${m.requests} requests`, errors, ...latency].join(", ");
  };
  const rows = (data) =>
    data.points
      .toReversed()
      .map((p) => [
        placetTimes.local(p.at).slice(11),
        target(data, p.at),
        show(percent(p.share), "%"),
        side(p.old),
        side(p.new),
        side(p.copies),
      ]);
  const times = (data) => {
    const until = seconds(data.until);
    return data.points.map((p) => Math.min(seconds(p.at) + data.seconds / 2, until));
  };
  return { panels, rows, times };
});
