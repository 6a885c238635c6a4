// Learning curves of the filtered runs, one line for each run.

const curvesShown = { table: null, metric: "", x: "tokens", colour: "", facet: "", scale: "linear" };

function curvesView(redraw) {
  const all = selection.table.curves;
  const metrics = [...new Set(all.map((curve) => curve.metric))].sort();
  if (curvesShown.table !== selection.table) beginCurves(metrics);
  const rows = shownRows(), chart = element("div", { className: "chart" });
  const points = curvePoints(rows);
  const set = (name) => (value) => { curvesShown[name] = value; redraw(); };
  const keys = { none: NONE, ...columnOptions((name) => name !== "run_id") };
  const controls = element("div", { className: "controls" }, tableChoice(redraw),
    labelled("metric", choice("metric", metrics.map((m) => [m, m]), curvesShown.metric, set("metric"))),
    choice("curve-scale", SCALES, curvesShown.scale, set("scale")),
    labelled("x", choice("curve-x", [["tokens", "tokens"], ["exposures", "exposures"]], curvesShown.x, set("x"))),
    labelled("colour", choice("curve-colour", keys, curvesShown.colour, set("colour"))),
    labelled("facet", choice("curve-facet", keys, curvesShown.facet, set("facet"))), filterNote(rows));
  if (!all.length) {
    chart.append(element("p", { className: "muted" }, "No curves are kept with these results. ",
      "Runs with runtime.n_evaluations=20 measure during training."));
  } else if (!points.length) {
    chart.append(element("p", { className: "muted" }, `Nothing to draw: no run shown has ${curvesShown.metric} with its ${curvesShown.x}.`));
  } else draw(chart, curveSpecification(points));
  return element("section", {}, controls, chart);
}

function beginCurves(metrics) {
  beginPlot();
  const metric = metrics.find((m) => m !== "train/loss_nats") ?? metrics[0] ?? "";
  const isSet = selection.table.kinds[selection.table.columns.indexOf(plot.x)] === "configuration";
  const colour = plot.colour || (isSet ? plot.x : "");
  Object.assign(curvesShown, { table: selection.table, metric, colour, facet: "", scale: "linear", x: "tokens" });
}

function curvePoints(rows) {
  const rowOf = new Map(rows.map((row) => [cell(selection.table, "run_id", row), row]));
  const read = (name, row) => (name === "" ? null : cell(selection.table, name, row));
  return selection.table.curves
    .filter((curve) => curve.metric === curvesShown.metric && rowOf.has(curve.run_id))
    .flatMap(({ run_id, points }) => {
      const row = rowOf.get(run_id);
      const facts = { run: run_id, colour: read(curvesShown.colour, row), facet: shown(read(curvesShown.facet, row)) };
      return points
        .map(([tokens, exposures, value]) => ({ ...facts, x: curvesShown.x === "tokens" ? tokens : exposures, y: value }))
        .filter(({ x, y }) => x !== null && (curvesShown.scale !== "log" || y > 0));
    });
}

function curveSpecification(points) {
  const encoding = {
    x: { field: "x", type: "quantitative", title: curvesShown.x, axis: { format: "~s" } },
    y: { field: "y", type: "quantitative", title: curvesShown.metric, scale: scaleFor(curvesShown.scale, points, "y") },
    detail: { field: "run" },
    tooltip: [{ field: "run" }, { field: "x", title: curvesShown.x }, { field: "y", title: curvesShown.metric }],
  };
  if (curvesShown.colour !== "") {
    encoding.color = { ...colourChannel(points), title: curvesShown.colour };
    encoding.tooltip.push({ field: "colour", title: curvesShown.colour });
  }
  // Many dots are slow to draw and hide the lines.
  const point = points.length < 2000 ? { size: 14 } : false;
  const mark = { type: "line", opacity: 0.8, strokeWidth: 1.5, point };
  return faceted({ mark, encoding }, points, curvesShown.facet);
}
