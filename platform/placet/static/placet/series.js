// Lines over time: draws what the API measured with uPlot, again and again while it goes on. Which
// panels there are, and the table beside them, says the file of the page: `placetSeries(subject)`.
window.placetSeries = (subject) => {
  const box = document.getElementById("series");
  if (!box) return;
  const HEIGHT = 170,
    ROW = 16; // pixels above the lines, for the numbers of what happened
  const probe = box.appendChild(document.createElement("span")); // a canvas knows no variables
  const colour = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const seconds = (text) => Date.parse(text) / 1000;
  const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 }); // never 1e+3
  const show = (value, unit) =>
    value == null ? "–" : `${digits.format(value)}${unit === "%" ? "" : " "}${unit}`;
  const percent = (share) => (share == null ? null : share * 100);
  // a percentile of few requests means nothing
  const quantile = (point, name) =>
    point.requests < Number(box.dataset.fewest) ? null : point[name];
  const last = (values) => values.findLast((value) => value != null) ?? null;
  // A line shows where it begins and where it ends: else a figure that stands alone is not seen.
  const ends = (u, place, every) => {
    if (every) return null;
    const values = u.data[place],
      beside = (at, step) => {
        let next = at + step;
        while (values[next] === undefined && next in values) next += step; // of another line
        return values[next] ?? null;
      };
    return [...values.keys()].filter(
      (at) => values[at] != null && (beside(at, -1) == null || beside(at, 1) == null),
    );
  };
  const line = (label, colourName, dash, more) => ({
    label,
    stroke: () => colour(colourName),
    width: 1.75,
    dash,
    points: { size: 5, fill: () => colour(colourName), filter: ends },
    ...more,
  });
  const row = (cells) => {
    const made = document.createElement("tr");
    made.append(
      ...cells.map((text, place) => {
        const cell = document.createElement(place ? "td" : "th");
        if (!place) cell.scope = "row";
        cell.textContent = text;
        return cell;
      }),
    );
    return made;
  };
  let charts = [],
    drawn = null,
    span = [0, 1],
    marks = [];
  const clock = (at) => {
    const text = placetTimes.local(at * 1000),
      length = span[1] - span[0];
    return length > 86400 ? text.slice(5, 16) : text.slice(11, length > 1800 ? 16 : 19);
  };

  const { panels, rows, times, marked } = subject({
    box,
    colour,
    quantile,
    seconds,
    show,
    percent,
    last,
    line,
    clock,
  });

  // New figures go into the lines that are there: what a reader points at or has hidden stays so.
  const draw = (data, anew) => {
    span = [seconds(data.since), seconds(data.until)];
    const same = marks.length === (data.marks ?? []).length;
    marks = data.marks ?? [];
    const begins = times(data);
    box.querySelectorAll("figure").forEach((figure, place) => {
      const panel = panels[figure.dataset.panel](data, begins);
      figure.querySelector("figcaption span").textContent = panel.says;
      if (!anew && same && charts[place]?.series.length === panel.columns.length) {
        charts[place].setData(panel.columns);
        return;
      }
      charts[place]?.destroy();
      charts[place] = plot(figure.querySelector(".plot"), panel);
    });
    box.querySelector("details tbody").replaceChildren(...rows(data).map(row));
    marked?.(data);
    box.querySelector("[data-empty]").hidden = data.points.length > 0;
    drawn = data;
  };

  // What happened: a line from top to bottom under its number in the list below; what stands too
  // close together for a number each has one together, such as 2–4.
  const annotate = (u) => {
    const { ctx, bbox } = u,
      ratio = devicePixelRatio,
      groups = [];
    ctx.save();
    ctx.font = `${11 * ratio}px Inter, sans-serif`;
    ctx.textBaseline = "bottom";
    ctx.textAlign = "center";
    ctx.lineWidth = ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    for (const [place, mark] of marks.entries()) {
      const at = Math.min(seconds(mark.at), span[1]), // what has just happened stands at the end
        x = Math.round(u.valToPos(at, "x", true)),
        bad = mark.kind === "alert",
        group = groups.at(-1);
      if (x < bbox.left) continue;
      ctx.strokeStyle = colour(bad ? "--fail" : "--tblr-secondary");
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      if (group && x - group.x < 24 * ratio)
        Object.assign(group, { last: place, bad: group.bad || bad });
      else groups.push({ x, first: place, last: place, bad });
    }
    for (const { x, first, last, bad } of groups) {
      ctx.fillStyle = colour(bad ? "--fail" : "--tblr-body-color");
      ctx.fillText(
        first === last ? `${first + 1}` : `${first + 1}–${last + 1}`,
        x,
        bbox.top - ratio,
      );
    }
    ctx.restore();
  };
  const plot = (place, { unit, least, lines, columns }) => {
    const axis = {
      stroke: () => colour("--tblr-secondary"),
      font: "11px Inter, sans-serif",
      grid: { stroke: () => colour("--tblr-border-color"), width: 1 },
      ticks: { show: false },
    };
    const above = marks.length ? ROW : 8;
    return new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT + above - 8,
        padding: [above, null, null, null],
        series: [
          { label: placetTimes.zone(Date.now()), value: (u, at) => (at == null ? "–" : clock(at)) },
          ...lines.map((l) => ({ ...l, value: (u, v) => show(v, unit) })),
        ],
        scales: {
          x: { range: () => span },
          y: { range: (u, low, high) => [0, Math.max(least, (high ?? 0) * 1.15)] },
        },
        axes: [
          { ...axis, size: 28, space: 60, values: (u, at) => at.map(clock) },
          { ...axis, size: 56, values: (u, at) => at.map((v) => show(v, unit)) },
        ],
        cursor: { sync: { key: "series" }, drag: { x: false, y: false } },
        hooks: { draw: [annotate] },
      },
      columns,
      place,
    );
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
      if (width && width !== chart.width) chart.setSize({ width, height: chart.height });
    });
  }).observe(box);
  new MutationObserver(() => {
    if (drawn) draw(drawn, true);
  }).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  ask();
};
