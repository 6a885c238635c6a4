// Scatter plots: a number of each run against another number or a key, coloured and faceted by keys.

const plot = { table: null };
const SCALES = [["linear", "linear"], ["log", "log"], ["symlog", "symlog"]];
const NONE = [["", "-"]];
const NARROW = 700; // pixels, as in the style sheet

// The plot that a claim links to: its metric, of the runs of a table.
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
  const axis = (name, options) => element("span", { className: "axis" },
    labelled(name, choice(name, options, plot[name], (value) => { setAxis(name, value); redraw(); })),
    isNumeric(plot[name])
      ? choice(`${name}-scale`, SCALES, plot[`${name}Scale`], set(`${name}Scale`)) : null);
  const means = element("input", {
    type: "checkbox", name: "means", id: "means", checked: plot.means, onchange: () => set("means")(means.checked),
  });
  const rows = shownRows(), chart = element("div", { className: "chart" });
  const points = pointsOf(rows);
  if (points.length) draw(chart, plotSpecification(points));
  return element("section", {},
    element("div", { className: "controls" }, tableChoice(redraw), axis("x", keys), axis("y", numbers),
      labelled("colour", choice("colour", withNone, plot.colour, set("colour"))),
      labelled("facet", choice("facet", withNone, plot.facet, set("facet"))),
      labelled("line of means", means), filterNote(rows), leftOut(rows.length - points.length)),
    chart);
}

function leftOut(n) {
  const hasLog = plot.xScale === "log" || plot.yScale === "log";
  const reason = hasLog ? "without a value, or not above 0 on a log scale" : "without a value";
  return n ? element("strong", {}, `${n} not drawn: ${reason}`) : null;
}

// The first plot: the main metric against the first key that was varied among its runs, coloured by
// the next one that tells runs of the same x apart.
function beginPlot() {
  const { columns, kinds, n_varying } = selection.table;
  const varying = columns.slice(1, n_varying);
  const ofKind = (kind) => varying.filter((name) => kinds[columns.indexOf(name)] === kind && !/(^|\.)seed$/.test(name));
  const y = ofKind("metric").find(isNumeric) ?? columns.find(isNumeric);
  const measured = shownRows().filter((row) => cell(selection.table, y, row) !== null);
  const nValues = (names) => new Set(measured.map((row) =>
    JSON.stringify(names.map((name) => cell(selection.table, name, row))))).size;
  const isVaried = (name) => nValues([name]) > 1 && !valuesOf(name, measured).includes(null);
  // The keys of an experiment say more than its name.
  const keys = [...ofKind("configuration").filter((name) => name !== "experiment"), "experiment"];
  const x = ["parameters.total", ...keys, ...ofKind("fact")]
    .find((name) => columns.includes(name) && isVaried(name)) ?? "experiment";
  const isColour = (name) => nValues([name]) <= 12 && nValues([x, name]) > nValues([x]);
  Object.assign(plot, { table: selection.table, facet: "", means: false, colour: keys.find(isColour) ?? "" });
  setAxis("x", x);
  setAxis("y", y);
}

// Sets an axis and its scale: log for numbers of different size, symlog if some are below 0. A metric
// is mostly a fraction or a few bits, whose zeros a log scale would leave out.
function setAxis(axis, name) {
  const found = isNumeric(name) ? valuesOf(name, shownRows()).filter((v) => v !== null) : [0];
  const least = Math.min(...found), most = Math.max(...found);
  const isMetric = selection.table.kinds[selection.table.columns.indexOf(name)] === "metric";
  const isWide = least > 0 && (isMetric ? most > 1 && most / least > 100 : most / least > 5);
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

// Symlog is linear up to a hundredth of the largest value: bits reach from far below 0 to a few.
function scaleFor(kind, points, axis) {
  if (kind === "linear") return { type: kind, zero: false, nice: true };
  if (kind === "log") return { type: kind, nice: false, padding: 12 };
  const most = points.reduce((m, point) => Math.max(m, Math.abs(point[axis])), 0);
  return { type: "symlog", constant: most / 100 || 1, nice: true };
}

function colourChannel(points) {
  const distinct = new Set(points.map((point) => point.colour));
  const isOrdered = [...distinct].every((v) => v === null || typeof v === "number");
  // Without the end of the scheme that is close to the background.
  const extent = isDark() ? [0.3, 1] : [0, 0.85];
  const scale = isOrdered ? { scheme: { name: "viridis", extent } } : distinct.size > 10 ? { scheme: "tableau20" } : undefined;
  const type = isOrdered ? (distinct.size > 12 ? "quantitative" : "ordinal") : "nominal";
  return { field: "colour", type, title: plot.colour, ...(scale && { scale }), legend: { symbolLimit: 40 } };
}

function plotSpecification(points) {
  const axis = (name) => ({
    field: name, type: "quantitative", title: plot[name], scale: scaleFor(plot[`${name}Scale`], points, name),
  });
  const encoding = { x: isNumeric(plot.x) ? axis("x") : textAxis(points), y: axis("y") };
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

// An axis of texts, whose labels leave out the words with which all texts begin.
function textAxis(points) {
  const texts = [...new Set(points.map((point) => shown(point.x)))];
  const start = commonStart(texts);
  const labels = texts.map((text) => text.slice(start.length));
  const isCrowded = labels.join("").length * 7 + labels.length * 14 > chartWidth() - 100;
  const axis = { labelAngle: isCrowded ? -40 : 0, labelLimit: 220, labelExpr: `slice(datum.label, ${start.length})` };
  return { field: "x", type: "nominal", title: start ? `${plot.x}: ${start}...` : plot.x, axis };
}

function commonStart(texts) {
  const [first, ...others] = texts;
  const starts = [...first.matchAll(/[ =/]/g)].map((match) => first.slice(0, match.index + 1));
  const common = others.length ? starts.filter((start) => others.every((text) => text.startsWith(start))) : [];
  return common.at(-1) ?? "";
}

function chartWidth() {
  const { clientWidth } = document.querySelector("main");
  return Math.min(clientWidth - (clientWidth < NARROW ? 64 : 88), 1100); // beside it is Vega's menu
}

function faceted(inner, values, key) {
  const data = { values };
  const width = chartWidth();
  if (key === "") {
    return { data, width, height: 460, autosize: { type: "fit-x", contains: "padding" }, ...inner };
  }
  const order = new Intl.Collator("en", { numeric: true });
  const sort = [...new Set(values.map((value) => value.facet))].sort(order.compare);
  const columns = Math.max(1, Math.min(3, Math.floor(width / 360)));
  return { data, columns, facet: { field: "facet", type: "nominal", title: key, sort },
    spec: { width: Math.min(310, width - 70), height: 230, ...inner } };
}

// Vega compiles expressions from text, which the page's policy forbids; `ast` interprets them.
function draw(place, specification) {
  const config = {
    background: null, font: "sans-serif", mark: { color: colour("accent") },
    view: { stroke: colour("line") },
    axis: { labelColor: colour("muted"), titleColor: colour("text"), gridColor: colour("line"),
      domainColor: colour("line"), tickColor: colour("line"), gridOpacity: 0.6, labelLimit: 120, labelSeparation: 8,
      titlePadding: 10 },
    axisX: { titleLimit: chartWidth() - 60 }, axisY: { titleLimit: 440 },
    legend: { labelColor: colour("text"), titleColor: colour("text"), labelLimit: 220, titleLimit: 220,
      ...(document.body.clientWidth < NARROW && { orient: "bottom", columns: 3 }) },
    header: { labelColor: colour("text"), titleColor: colour("muted") },
  };
  const actions = { export: true, source: false, compiled: false, editor: false };
  vegaEmbed(place, { ...specification, config }, { actions, ast: true, mode: "vega-lite", renderer: "svg" });
}
