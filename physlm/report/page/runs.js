// The table of runs: a header sorts, the field below it filters, and a row chooses a run to compare.

const PAGE_SIZE = 50;
const runsShown = { columns: "varying", page: 0 };

function runsView(redraw) {
  const body = element("tbody"), count = element("span"), pages = element("span");
  const clear = element("button", { onclick: () => { selection.chosen.clear(); refill(); } });
  const names = shownColumns();

  function fill() {
    const rows = shownRows();
    const last = Math.max(0, Math.ceil(rows.length / PAGE_SIZE) - 1);
    runsShown.page = Math.min(runsShown.page, last);
    const start = runsShown.page * PAGE_SIZE;
    body.replaceChildren(...rows.slice(start, start + PAGE_SIZE).map((row) => tableRow(row, names, refill)));
    count.replaceChildren(filterNote(rows));
    pages.replaceChildren(turn("previous", "‹", -1, runsShown.page > 0), ` page ${runsShown.page + 1} of ${last + 1} `,
      turn("next", "›", 1, runsShown.page < last));
    clear.textContent = `${selection.chosen.size} chosen, clear`;
    clear.disabled = selection.chosen.size === 0;
  }
  function turn(name, text, by, isThere) {
    const onclick = () => { runsShown.page += by; refill(); };
    return element("button", { id: name, "aria-label": `${name} page`, disabled: !isThere, onclick }, text);
  }
  const refill = () => keepingFocus(fill);

  fill();
  const n_same = selection.table.columns.length - selection.table.n_varying;
  const columns = [["varying", "columns in which runs differ"], ["configuration", "configuration only"],
    ["all", `all columns (${n_same} are the same in all runs)`]];
  return element("section", {},
    element("div", { className: "controls" }, tableChoice(redraw),
      choice("columns", columns, runsShown.columns, (value) => { runsShown.columns = value; redraw(); }),
      count, pages, clear),
    element("div", { className: "wide" }, element("table", { className: "runs" },
      element("thead", {}, element("tr", {}, ...names.map((name) => head(name, redraw, refill)))), body)));
}

function shownColumns() {
  const { columns, kinds, n_varying } = selection.table;
  if (runsShown.columns === "all") return columns;
  const varying = columns.slice(0, n_varying);
  if (runsShown.columns === "varying") return varying;
  return varying.filter((name, i) => i === 0 || kinds[i] === "configuration");
}

function head(name, redraw, refill) {
  const isSorted = selection.sort === name;
  const mark = isSorted ? (selection.descending ? " ↓" : " ↑") : "";
  const order = isSorted ? { "aria-sort": selection.descending ? "descending" : "ascending" } : {};
  const sort = () => {
    selection.descending = isSorted && !selection.descending;
    selection.sort = name;
    redraw();
  };
  const filter = element("input", {
    value: selection.filters[name] ?? "", placeholder: isNumeric(name) ? ">= 0" : "filter",
    title: "16,32 or >=0.5 or !=3, or part of a text", "aria-label": `filter ${name}`,
    oninput: () => { selection.filters[name] = filter.value; runsShown.page = 0; refill(); },
  });
  const kind = selection.table.kinds[selection.table.columns.indexOf(name)];
  return element("th", { className: kind, scope: "col", ...order },
    element("button", { id: `sort:${name}`, title: `${name}: sort`, onclick: sort }, ...breakable(name + mark)), filter);
}

// The checkbox is for the keyboard; its click reaches the row like one with the mouse.
function tableRow(row, names, refill) {
  const cells = names.map((name) => {
    const value = cell(selection.table, name, row), text = shown(value);
    return element("td", { className: typeof value === "number" ? "number" : "", title: text }, text);
  });
  const isChosen = selection.chosen.has(row), run = shown(cell(selection.table, "run_id", row));
  cells[0].prepend(element("input", {
    type: "checkbox", id: `choose:${run}`, checked: isChosen, "aria-label": `choose ${run}`,
  }));
  const choose = () => {
    if (!selection.chosen.delete(row)) selection.chosen.add(row);
    refill();
  };
  return element("tr", { className: isChosen ? "chosen" : "", onclick: choose }, ...cells);
}
