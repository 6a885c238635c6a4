// The keys and metrics in which the chosen runs differ: configuration, metrics, facts.

function differencesView(redraw) {
  const rows = [...selection.chosen].sort((a, b) => a - b);
  const controls = element("div", { className: "controls" }, tableChoice(redraw),
    element("span", { className: "muted" }, `${rows.length} runs chosen`));
  if (rows.length < 2) {
    return element("section", {}, controls, element("p", { className: "muted" },
      "Choose two or more runs in the table of ", element("a", { href: "#runs" }, "runs"), "."));
  }
  const { columns, kinds } = selection.table;
  const isDifferent = (name) => new Set(valuesOf(name, rows)).size > 1;
  const body = ["configuration", "metric", "fact"].flatMap((kind) =>
    columns.filter((name, i) => i > 0 && kinds[i] === kind && isDifferent(name))
      .map((name) => differenceRow(name, kind, rows)));
  const ids = valuesOf("run_id", rows);
  return element("section", {}, controls, element("div", { className: "wide", tabIndex: 0 },
    element("table", { className: "differences" },
      element("thead", {}, element("tr", {}, ...["", "key", ...ids].map((text) => element("th", {}, text)))),
      element("tbody", {}, ...body))));
}

function differenceRow(name, kind, rows) {
  const values = valuesOf(name, rows).map((value) => element("td", {}, value === null ? "-" : shown(value)));
  return element("tr", {}, element("td", { className: "muted" }, kind),
    element("td", {}, element("code", {}, name)), ...values);
}
