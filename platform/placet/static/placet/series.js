// A rollout over time: draws what the API measured with uPlot, again and again while it goes on.
(() => {
  const box = document.getElementById("series");
  if (!box) return;
  const NEW = "--tblr-primary",
    OLD = "--tblr-secondary",
    COPIES = "--wait";
  const probe = box.appendChild(document.createElement("span")); // a canvas knows no variables
  const colour = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const seconds = (text) => Date.parse(text) / 1000;
  const show = (value, unit) => (value == null ? "–" : `${Number(value.toPrecision(3))} ${unit}`);
  const percent = (share) => (share == null ? null : share * 100);
  const dashes = [5, 4]; // the old revision is dashed: nobody has to tell colours apart
  let charts = [],
    drawn = null,
    span = [0, 1];

  const line = (label, colourName, dash, more) => ({
    label,
    stroke: () => colour(colourName),
    width: 1.75,
    dash,
    points: { size: 4 },
    ...more,
  });
  const of = (data, side, get) => data.points.map((p) => (p[side] ? get(p[side]) : null));
  const last = (values) => values.findLast((value) => value != null) ?? null;

  // Each panel: its unit, its least height, its lines, and the columns for them (times first).
  const panels = {
    weight: (data, times) => {
      const ends = data.planned.map((p) => [seconds(p.at), p.weight / 100]);
      ends.push([seconds(data.until), ends.at(-1)[1]]);
      const measured = data.points.map((p) => percent(p.share));
      return {
        unit: "%",
        least: 1,
        says: `planned ${show(last(ends)[1], "%")}, measured ${show(last(measured), "%")}`,
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
        ["p50", (m) => m.p50_ms],
        ["p95", (m) => m.p95_ms],
      ]),
    requests: (data, times) => both(data, times, "/s", 1, [["", (m) => m.per_second]]),
  };

  // The same figures of the old revision, the new one, and the copies that it got, if any.
  const both = (data, times, unit, least, figures) => {
    const sides = [
      ["old", "old", OLD, dashes],
      ["new", "new", NEW, undefined],
    ];
    if (data.points.some((p) => p.copies)) sides.push(["copies", "copies to new", COPIES, [2, 3]]);
    const lines = [],
      columns = [times],
      said = [];
    for (const [name, get] of figures) {
      for (const [side, words, colourName, dash] of sides) {
        const values = of(data, side, get),
          label = `${words} ${name}`.trim();
        lines.push(line(label, colourName, dash, { width: name === "p50" ? 1 : 1.75 }));
        columns.push(values);
        said.push(`${label} ${show(last(values), unit)}`);
      }
    }
    return { unit, least, lines, columns, says: said.join(", ") };
  };

  // New figures go into the lines that are there: what a reader points at or has hidden stays so.
  const draw = (data, anew) => {
    span = [seconds(data.since), seconds(data.until)];
    const times = data.points.map((p) => seconds(p.at) + data.seconds / 2);
    box.querySelectorAll("figure").forEach((figure, place) => {
      const panel = panels[figure.dataset.panel](data, times);
      figure.querySelector("figcaption span").textContent = panel.says;
      if (!anew && charts[place]?.series.length === panel.columns.length) {
        charts[place].setData(panel.columns);
        return;
      }
      charts[place]?.destroy();
      charts[place] = plot(figure.querySelector(".plot"), panel);
    });
    table(data);
    box.querySelector("[data-empty]").hidden = data.points.length > 0;
    drawn = data;
  };

  const clock = (at) => {
    const text = new Date(at * 1000).toISOString(),
      length = span[1] - span[0];
    return length > 86400
      ? text.slice(5, 16).replace("T", " ")
      : text.slice(11, length > 1800 ? 16 : 19);
  };
  const plot = (place, { unit, least, lines, columns }) => {
    const axis = {
      stroke: () => colour("--tblr-secondary"),
      font: "11px Inter, sans-serif",
      grid: { stroke: () => colour("--tblr-border-color"), width: 1 },
      ticks: { show: false },
    };
    return new uPlot(
      {
        width: place.clientWidth,
        height: 170,
        series: [
          { label: "UTC", value: (u, at) => (at == null ? "–" : clock(at)) },
          ...lines.map((l) => ({ ...l, value: (u, v) => show(v, unit) })),
        ],
        scales: {
          x: { range: () => span },
          y: { range: (u, low, high) => [0, Math.max(least, (high ?? 0) * 1.15)] },
        },
        axes: [
          { ...axis, size: 28, space: 60, values: (u, at) => at.map(clock) },
          { ...axis, size: 56, values: (u, at) => at.map((v) => `${v} ${unit}`) },
        ],
        cursor: { sync: { key: "series" }, drag: { x: false, y: false } },
      },
      columns,
      place,
    );
  };

  // The same for who does not see the lines: newest first, in words and numbers.
  const table = (data) => {
    const side = (m) => {
      if (!m) return "–";
      const latency = ["p50", "p95", "p99"].map((p) => `${p} ${show(m[`${p}_ms`], "ms")}`);
      const errors = `${show(percent(m.error_rate), "%")} errors`;
      return [`${m.requests} requests`, errors, ...latency].join(", ");
    };
    const weight = (at) =>
      data.planned.filter((p) => seconds(p.at) <= seconds(at)).at(-1)?.weight ?? 0;
    const rows = data.points.toReversed().map((p) => {
      const row = document.createElement("tr");
      const cells = [
        p.at.slice(11, 19),
        show(weight(p.at) / 100, "%"),
        show(percent(p.share), "%"),
        side(p.old),
        side(p.new),
        side(p.copies),
      ];
      row.append(
        ...cells.map((text, place) => {
          const cell = document.createElement(place ? "td" : "th");
          if (!place) cell.scope = "row";
          cell.textContent = text;
          return cell;
        }),
      );
      return row;
    });
    box.querySelector("details tbody").replaceChildren(...rows);
  };

  const tell = (name) => document.dispatchEvent(new CustomEvent(`placet:${name}`));
  const ask = async () => {
    let wait = 5;
    try {
      const answer = await fetch(box.dataset.series, { signal: AbortSignal.timeout(20000) });
      if (answer.status >= 500 || answer.status === 429) throw new Error(answer.statusText);
      if (!answer.ok) return;
      const data = await answer.json();
      draw(data);
      tell("found");
      if (!data.growing) return;
      wait = Math.max(5, data.seconds / 2);
    } catch {
      tell("lost");
    }
    setTimeout(ask, wait * 1000);
  };

  new ResizeObserver(() => {
    charts.forEach((chart) => {
      const width = chart.root.parentNode.clientWidth;
      if (width && width !== chart.width) chart.setSize({ width, height: 170 });
    });
  }).observe(box);
  new MutationObserver(() => {
    if (drawn) draw(drawn, true);
  }).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  ask();
})();
