// Any number of the runs against any other or a key, coloured and faceted by keys.

const plot = { table: null };
const SCALES = [["linear", "linear"], ["log", "log"], ["symlog", "symlog"]];
const NONE = [["", "-"]];

// Sets the axes from outside, as a claim does for its metric.
function plotOf(name, metric) {
  selectTable(name);
  beginPlot();
  if (selection.table.columns.includes(metric)) setAxis("y", metric);
}

function plotView(redraw) {
  if (plot.table !== selection.table) beginPlot();
  const numbers = columnOptions(isNumeric), keys = columnOptions((name) => name !== "run_id");
  const withNone = { none: NONE, ...keys };
  const set = (name) => (value) => { plot[name] = value; redraw(); };
  const axis = (name, options) => [
    labelled(name, choice(name, options, plot[name], (value) => { setAxis(name, value); redraw(); })),
    isNumeric(plot[name])
      ? choice(`${name}-scale`, SCALES, plot[`${name}Scale`], set(`${name}Scale`)) : "",
  ];
  const means = element("input", {
    type: "checkbox", name: "means", id: "means", checked: plot.means, onchange: () => set("means")(means.checked),
  });
  const rows = shownRows(), chart = element("div", { className: "chart" });
  const points = pointsOf(rows);
  if (points.length) draw(chart, plotSpecification(points));
  return element("section", {},
    element("div", { className: "controls" }, tableChoice(redraw), ...axis("x", keys), ...axis("y", numbers),
      labelled("colour", choice("colour", withNone, plot.colour, set("colour"))),
      labelled("facet", choice("facet", withNone, plot.facet, set("facet"))),
      labelled("line of means", means), filterNote(rows), leftOut(rows.length - points.length)),
    chart);
}

function leftOut(n) {
  const text = `${n} not drawn: without a value, or not above 0 on a log scale`;
  return n ? element("strong", {}, text) : null;
}

// At first, the main metric against what was varied among the runs that have it.
function beginPlot() {
  const { columns, kinds, n_varying } = selection.table;
  const varying = columns.slice(1, n_varying);
  const ofKind = (kind) => varying.filter((name) => kinds[columns.indexOf(name)] === kind && !/(^|\.)seed$/.test(name));
  const y = ofKind("metric").find(isNumeric) ?? columns.find(isNumeric);
  const measured = shownRows().filter((row) => cell(selection.table, y, row) !== null);
  const nValues = (name) => new Set(valuesOf(name, measured)).size;
  const isSweptBy = (name) => nValues(name) > 1 && !valuesOf(name, measured).includes(null);
  // The name of an experiment says in one word what its keys say better.
  const keys = [...ofKind("configuration").filter((name) => name !== "experiment"), "experiment"];
  const x = ["parameters.total", ...keys, ...ofKind("fact")]
    .find((name) => columns.includes(name) && isSweptBy(name)) ?? "experiment";
  Object.assign(plot, { table: selection.table, facet: "", means: false });
  setAxis("x", x);
  setAxis("y", y);
  plot.colour = keys.find((name) => name !== x && nValues(name) > 1 && nValues(name) <= 12) ?? "";
}

// Numbers of very different size need a log scale, and symlog where some are not above 0.
function setAxis(axis, name) {
  const found = isNumeric(name) ? valuesOf(name, shownRows()).filter((v) => v !== null) : [0];
  const least = Math.min(...found), most = Math.max(...found);
  const isWide = least > 0 && most / least > 20;
  plot[axis] = name;
  plot[`${axis}Scale`] = isWide ? "log" : least < 0 && Math.max(most, -least) > 5 ? "symlog" : "linear";
}

function pointsOf(rows) {
  const read = (name, row) => (name === "" ? null : cell(selection.table, name, row));
  const fits = (value, scale) => value !== null && (scale !== "log" || value > 0);
  return rows.map((row) => ({
    x: read(plot.x, row), y: read(plot.y, row), run: cell(selection.table, "run_id", row),
    colour: read(plot.colour, row), facet: shown(read(plot.facet, row)),
  })).filter((point) => fits(point.x, plot.xScale) && fits(point.y, plot.yScale));
}

// Linear within a hundredth of the largest value: bits go from far below 0 to a few above.
function scaleFor(kind, points, axis) {
  if (kind === "linear") return { type: kind, zero: false, nice: true };
  if (kind === "log") return { type: kind, nice: false, padding: 12 };
  const most = points.reduce((m, point) => Math.max(m, Math.abs(point[axis])), 0);
  return { type: "symlog", constant: most / 100 || 1, nice: true };
}

function colourChannel(points) {
  const distinct = new Set(points.map((point) => point.colour));
  const isOrdered = [...distinct].every((v) => v === null || typeof v === "number");
  // Many numbers are a gradient, few are as far apart as words.
  const scale = isOrdered ? { scheme: "viridis" } : distinct.size > 10 ? { scheme: "tableau20" } : undefined;
  const type = isOrdered ? (distinct.size > 12 ? "quantitative" : "ordinal") : "nominal";
  return { field: "colour", type, title: plot.colour, ...(scale && { scale }), legend: { symbolLimit: 40 } };
}

function plotSpecification(points) {
  const axis = (name) => ({
    field: name, type: "quantitative", title: plot[name], scale: scaleFor(plot[`${name}Scale`], points, name),
  });
  const labelAngle = new Set(points.map((point) => point.x)).size > 8 ? -40 : 0;
  const words = { field: "x", type: "nominal", title: plot.x, axis: { labelAngle, labelLimit: 220 } };
  const encoding = { x: isNumeric(plot.x) ? axis("x") : words, y: axis("y") };
  if (plot.colour !== "") encoding.color = colourChannel(points);
  const tooltip = [{ field: "run", title: "run" }, { field: "x", title: plot.x }, { field: "y", title: plot.y }];
  if (plot.colour !== "") tooltip.push({ field: "colour", title: plot.colour });
  const layers = [{ mark: { type: "point", filled: true, size: 55, opacity: 0.75 }, encoding: { ...encoding, tooltip } }];
  if (plot.means) {
    const y = { ...encoding.y, aggregate: "mean" };
    layers.push({ mark: { type: "line", strokeWidth: 1.5 }, encoding: { ...encoding, y } });
  }
  return faceted({ layer: layers }, points, plot.facet);
}

function faceted(inner, values, key) {
  const data = { values };
  if (key === "") return { data, width: 900, height: 460, ...inner };
  const order = new Intl.Collator("en", { numeric: true });
  const sort = [...new Set(values.map((value) => value.facet))].sort(order.compare);
  return { data, columns: 3, facet: { field: "facet", type: "nominal", title: key, sort },
    spec: { width: 310, height: 230, ...inner } };
}

// Vega's own functions are made from text, which the page's policy forbids; `ast` interprets them.
function draw(place, specification) {
  const config = {
    background: null, font: "system-ui, sans-serif",
    view: { stroke: colour("line") },
    axis: { labelColor: colour("muted"), titleColor: colour("text"), gridColor: colour("line"),
      domainColor: colour("line"), tickColor: colour("line"), gridOpacity: 0.6, labelLimit: 120, titleLimit: 700 },
    legend: { labelColor: colour("text"), titleColor: colour("text"), labelLimit: 220, titleLimit: 220 },
    header: { labelColor: colour("text"), titleColor: colour("muted") },
  };
  const actions = { export: true, source: false, compiled: false, editor: false };
  vegaEmbed(place, { ...specification, config }, { actions, ast: true, mode: "vega-lite", renderer: "svg" });
}
