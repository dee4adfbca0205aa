// An endpoint over time: requests, errors and latency of all its revisions together.
window.placetSeries(({ box, colour, quantile, seconds, show, percent, last, line, clock }) => {
  const MAIN = "--tblr-primary",
    QUIET = "--tblr-secondary",
    WARN = "--wait",
    BAD = "--fail";
  const dashes = [5, 4],
    dots = [2, 3]; // nobody has to tell colours apart

  // Every stretch of the time, `null` where nothing was counted: no line is drawn across a gap.
  const stretches = (data) => {
    const found = new Map(data.points.map((p) => [seconds(p.at), p]));
    const all = [];
    for (let at = seconds(data.since); at < seconds(data.until); at += data.seconds)
      all.push([at, found.get(at) ?? null]);
    return all;
  };
  // In the middle of each; the one that is under way is shorter, and lies within the chart.
  const times = (data) => {
    const until = seconds(data.until);
    return stretches(data).map(([at]) => (at + Math.min(at + data.seconds, until)) / 2);
  };
  // What the figures above a chart are of: its last stretch, or the last that had any.
  const since = (data) => {
    const newest = data.points.at(-1)?.at;
    if (!newest || seconds(newest) >= seconds(data.until) - 2 * data.seconds) return "";
    return `, at ${clock(seconds(newest))}`;
  };
  const panel = (data, begins, unit, least, figures) => {
    const points = stretches(data);
    const columns = figures.map((f) => points.map(([, p]) => (p ? f.get(p) : null)));
    return {
      unit,
      least,
      columns: [begins, ...columns],
      lines: figures.map((f) => line(f.label, f.colour, f.dash, f.more)),
      says:
        figures.map((f, i) => `${f.label} ${show(last(columns[i]), unit)}`).join(", ") +
        since(data),
    };
  };
  const bars = {
    paths: uPlot.paths.bars({ size: [1, 40, 2] }),
    points: { show: false },
    width: 1,
    fill: () => colour("--chart-fill"),
  };
  const panels = {
    rate: (data, begins) =>
      panel(data, begins, "/s", 0.1, [
        { label: "requests", colour: MAIN, get: (p) => p.per_second, more: bars },
      ]),
    failed: (data, begins) =>
      panel(data, begins, "%", 1, [
        { label: "5xx", colour: BAD, get: (p) => percent(p.error_rate) },
        { label: "4xx", colour: WARN, dash: dots, get: (p) => percent(p.client_error_rate) },
      ]),
    quantiles: (data, begins) =>
      panel(data, begins, "ms", 5, [
        { label: "p50", colour: MAIN, get: (p) => quantile(p, "p50_ms") },
        { label: "p95", colour: QUIET, dash: dashes, get: (p) => quantile(p, "p95_ms") },
        { label: "p99", colour: WARN, dash: dots, get: (p) => quantile(p, "p99_ms") },
      ]),
  };

  // The same for who does not see the lines: newest first, in numbers.
  const rows = (data) => {
    const digits = data.seconds % 60 ? 19 : 16; // else two rows have the same minute
    return data.points
      .toReversed()
      .map((p) => [
        placetTimes.local(p.at).slice(0, digits),
        `${p.requests}`,
        show(p.per_second, ""),
        show(percent(p.error_rate), "%"),
        show(percent(p.client_error_rate), "%"),
        ...["p50_ms", "p95_ms", "p99_ms"].map((name) => show(quantile(p, name), "ms")),
      ]);
  };

  // What happened meanwhile as a list, the newest first, each by its number and the way to it.
  const marked = (data) => {
    const footer = box.querySelector("[data-marks]");
    const lines = data.marks.toReversed().map((mark, place) => {
      const item = document.createElement("li"),
        number = document.createElement("b"),
        time = document.createElement("time"),
        link = document.createElement("a");
      time.dateTime = mark.at;
      time.textContent = `${placetTimes.local(mark.at).slice(0, 16)} ${placetTimes.zone(mark.at)}`;
      link.href =
        mark.kind === "alert"
          ? box.dataset.alerts
          : box.dataset.rollouts.replace("ID", encodeURIComponent(mark.id));
      link.textContent = mark.says;
      number.textContent = `${data.marks.length - place}`;
      item.append(number, time, " ", link);
      return item;
    });
    footer.querySelector("ul").replaceChildren(...lines);
    footer.hidden = !lines.length;
    box.querySelector(".series").hidden = !data.points.length;
  };
  return { panels, rows, times, marked };
});
