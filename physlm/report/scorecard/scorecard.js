// Models as columns, tests as rows; each number with its error, chance and n.

const { models, sections } = content;
document.querySelector("h1").textContent = content.title;

const SVG = "http://www.w3.org/2000/svg";

function drawn(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// Values between 0 and 1 along the states of a model, from the embedding to the last one.
function curve(values) {
  const svg = drawn("svg", { class: "profile", viewBox: "0 0 120 34", role: "img" });
  const x = (i) => (120 * i) / Math.max(1, values.length - 1);
  const points = values.map((value, i) => `${x(i)},${32 - 30 * value}`).join(" ");
  svg.append(
    drawn("line", { x1: 0, y1: 32, x2: 120, y2: 32 }),
    drawn("polyline", { points }),
  );
  const title = drawn("title", {});
  title.textContent = `agreement with the final prediction by state: ${values.map((v) => v.toFixed(2)).join(" ")}`;
  svg.prepend(title);
  return svg;
}

function rounded(value) {
  return Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString();
}

function percent(value) {
  return `${Math.min(100, Math.max(0, 100 * value))}%`;
}

function cellOf(cell) {
  if (cell === null) return element("td", { className: "cell muted" }, "–");
  const made = element("td", { className: "cell", title: cell.metric });
  if (cell.shown !== null) {
    made.append(cell.shown);
    return made;
  }
  if (cell.unit === "fraction" && cell.value >= 0) {
    made.append(element("span", { className: "bar", style: `width: ${percent(cell.value)}` }));
    if (cell.chance !== null) {
      made.append(element("span", { className: "chance", style: `left: ${percent(cell.chance)}` }));
    }
  }
  const error = cell.stderr === null ? "" : ` ± ${cell.stderr.toPrecision(1)}`;
  const chance = cell.chance === null ? "" : `chance ${rounded(cell.chance)}, `;
  made.append(
    element(
      "div",
      { className: "text" },
      element("b", {}, rounded(cell.value)),
      error,
      element("div", { className: "muted" }, `${chance}n ${cell.n}`),
    ),
  );
  if (cell.profile.length) made.append(curve(cell.profile));
  return made;
}

function headOf(model) {
  const size = model.parameters === null ? "" : `, ${model.parameters.toLocaleString("en")} parameters`;
  return element(
    "th",
    { className: "model", scope: "col" },
    model.name,
    element("div", { className: "muted" }, `${model.kind}${size}`),
  );
}

function bodyOf(section) {
  const title = element("tr", {}, element("th", { colSpan: models.length + 1, scope: "rowgroup" }, section.title));
  const rows = section.rows.map(({ label, cells }) => {
    const isFurther = label.includes(" ... ");
    return element(
      "tr",
      {},
      element(
        "th",
        { scope: "row", className: isFurther ? "further" : "", title: label },
        isFurther ? label.slice(label.indexOf(" ... ") + 5) : label,
      ),
      ...cells.map(cellOf),
    );
  });
  return element("tbody", { className: "section" }, title, ...rows);
}

function unmeasuredOf(model) {
  const reasons = Object.entries(model.unmeasured);
  if (!reasons.length) return null;
  return element(
    "details",
    {},
    element("summary", {}, `Not measured for ${model.name}: ${reasons.map(([test]) => test).join(", ")}`),
    element("dl", {}, ...reasons.flatMap(([test, why]) => [element("dt", {}, test), element("dd", {}, why)])),
  );
}

document.querySelector("main").append(
  element(
    "section",
    {},
    element(
      "p",
      { className: "muted" },
      "Each number is a mean with its standard error; bars are fractions, dashed lines chance. Point at a number for its metric.",
    ),
    element(
      "div",
      { className: "wide" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "test"), ...models.map(headOf))),
        ...sections.map(bodyOf),
      ),
    ),
    ...models.map(unmeasuredOf).filter((made) => made !== null),
  ),
);
