// The selected table, its filters and order, and the chosen rows. The views of runs, plots, curves
// and differences share them.

const selection = { table: null, filters: {}, sort: null, descending: false, chosen: new Set() };
const ALL = "all results";
const tables = Object.fromEntries(content.tables.map((table) => [table.name, table]));

function selectTable(name) {
  if (selection.table?.name === name) return;
  if (name === ALL && !tables[ALL]) tables[ALL] = joined(content.tables);
  Object.assign(selection, { table: tables[name], filters: {}, sort: null, chosen: new Set() });
}

// All tables as one, with a column that names the table of each run.
function joined(all) {
  const columns = new Map([["results", "configuration"]]);
  for (const kind of ["configuration", "metric", "fact"]) {
    for (const table of all) {
      table.columns.forEach((name, i) => { if (table.kinds[i] === kind) columns.set(name, kind); });
    }
  }
  const names = ["run_id", ...[...columns.keys()].filter((name) => name !== "run_id")];
  const values = names.map((name) => all.flatMap((table) => Array.from({ length: table.n_runs },
    (_, row) => (name === "results" ? table.name : cell(table, name, row)))));
  const curves = all.flatMap((table) => table.curves);
  return { name: ALL, title: "", columns: names, kinds: names.map((n) => columns.get(n)),
    n_varying: names.length, n_runs: values[0].length, values, curves };
}

// The value of a column in a row; null if the table has no such column. A column that does not vary
// has a single value.
function cell(table, name, row) {
  table.places ??= new Map(table.columns.map((column, i) => [column, i]));
  const column = table.values[table.places.get(name)];
  return column ? (column.length === 1 ? column[0] : column[row]) : null;
}

function valuesOf(name, rows) {
  return rows.map((row) => cell(selection.table, name, row));
}

function isNumeric(name) {
  const column = selection.table.values[selection.table.columns.indexOf(name)] ?? [];
  return column.some((v) => typeof v === "number") && column.every((v) => v === null || typeof v === "number");
}

// Whether a value passes a filter: `>=2`, `!=8`, `16,32` or part of a text. An empty filter passes all.
function passes(value, filter) {
  const [, operator, rest] = filter.trim().match(/^(>=|<=|!=|=|>|<)?\s*(.*)$/);
  if (rest === "") return true;
  const text = shown(value).toLowerCase(), wanted = rest.toLowerCase().split(",").map((w) => w.trim());
  const isOne = wanted.some((w) => text === w || (w !== "" && Number(w) === value));
  if (operator === "!=") return !isOne;
  if (operator === "=") return isOne;
  if (operator) {
    const number = Number(rest);
    if (typeof value !== "number" || Number.isNaN(number)) return false;
    return { ">=": value >= number, "<=": value <= number, ">": value > number, "<": value < number }[operator];
  }
  if (typeof value === "number") return isOne;
  return isOne || wanted.some((w) => w !== "" && text.includes(w));
}

function shownRows() {
  const { table, filters, sort, descending } = selection;
  let rows = Array.from({ length: table.n_runs }, (_, row) => row);
  for (const [name, filter] of Object.entries(filters)) {
    rows = rows.filter((row) => passes(cell(table, name, row), filter));
  }
  if (sort !== null) {
    rows.sort((a, b) => compared(cell(table, sort, a), cell(table, sort, b), descending));
  }
  return rows;
}

// Compares values: numbers before texts, and missing values last in either direction.
function compared(a, b, descending) {
  if (a === null || b === null) return (a === null) - (b === null);
  const sign = descending ? -1 : 1;
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  if (typeof a === "number" || typeof b === "number") return typeof a === "number" ? -sign : sign;
  return sign * String(a).localeCompare(String(b), "en", { numeric: true });
}

function tableChoice(redraw) {
  const names = content.tables.map((table) =>
    [table.name, table.title ? `${table.name}: ${table.title}` : table.name]);
  if (names.length > 1) names.push([ALL, ALL]);
  return labelled("results", choice("table", names, selection.table.name, (name) => {
    selectTable(name);
    redraw();
  }));
}

// The number of filtered runs, and the filters.
function filterNote(rows) {
  const set = Object.entries(selection.filters).filter(([, filter]) => filter.trim() !== "");
  const filters = set.map(([name, filter]) => `${name} ${filter}`).join(", ");
  const n = `${rows.length} of ${selection.table.n_runs} runs`;
  return element("span", { className: "muted" }, filters ? `${n}: ${filters}` : n);
}

// Columns by kind, as the groups of a menu.
function columnOptions(isWanted) {
  const groups = { configuration: [], metrics: [], facts: [] };
  const place = { configuration: "configuration", metric: "metrics", fact: "facts" };
  selection.table.columns.forEach((name, i) => {
    if (isWanted(name)) groups[place[selection.table.kinds[i]]].push([name, name]);
  });
  return groups;
}
