// Positions by states: the top token of each state, the last state on top, above the tokens read.
// One cell is in the tab order; arrow keys move between cells.

const current = { position: content.position, k: content.states.length - 1 }; // in the tab order
let measure = content.colour;

function cellAt(position, k) {
  return document.getElementById(`cell:${position}:${k}`);
}

function names(holds) {
  return Object.keys(holds).filter((name) => holds[name]).join(" ");
}

function cell(position, k) {
  const [token] = content.top[position][k];
  return element("td", {
    id: `cell:${position}:${k}`,
    className: names({ top: true, final: token === finalToken(position), "first-written": position === content.n_given }),
    tabIndex: position === current.position && k === current.k ? 0 : -1,
    textContent: content.texts[token],
    onfocus: (event) => { move(position, k); showDetails(event.target, position, k); },
    onblur: hideDetails,
    onmouseenter: (event) => showDetails(event.target, position, k),
    onmouseleave: restore,
    onclick: (event) => event.target.focus(),
    onkeydown: (event) => press(event, position, k),
  });
}

// When the pointer leaves, the details are again those of the focused cell, if one is.
function restore() {
  hideDetails();
  const focused = document.activeElement;
  if (focused.matches("td.top")) showDetails(focused, current.position, current.k);
}

function move(position, k) {
  cellAt(current.position, current.k).tabIndex = -1;
  Object.assign(current, { position, k });
  cellAt(position, k).tabIndex = 0;
}

function press(event, position, k) {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1],
    Home: [-position, 0], End: [content.tokens.length - 1 - position, 0] };
  if (event.key === "Escape") hideDetails();
  if (!(event.key in steps)) return;
  event.preventDefault();
  const [right, up] = steps[event.key];
  cellAt(position + right, k + up)?.focus();
}

function table() {
  const positions = content.tokens.map((_, position) => position);
  const states = content.states.map((_, k) => k).reverse();
  const head = (position, text, kind) => element("th", { scope: "col", textContent: text,
    className: names({ [kind]: true, chosen: position === content.position,
      "first-written": position === content.n_given, written: position >= content.n_given }) });
  const body = states.map((k) => element("tr", {},
    element("th", { scope: "row", textContent: content.states[k] }), ...positions.map((position) => cell(position, k))));
  const inputs = element("tr", {}, element("th", { scope: "row", textContent: "read" }),
    ...positions.map((position) => head(position, content.texts[content.tokens[position]], "input")));
  const numbers = element("tr", { className: "muted" }, element("th", { scope: "row", textContent: "position" }),
    ...positions.map((position) => head(position, position, "number")));
  return element("table", { role: "grid", "aria-label": "top token of each state at each position" },
    element("tbody", {}, ...body), element("tfoot", {}, inputs, numbers));
}

function paint() {
  const [mix, largest] = [colours(measure), most(measure)];
  content.measures[measure].forEach((values, position) => values.forEach((value, k) => {
    const rgb = mix(MEASURES[measure].of(value, largest));
    Object.assign(cellAt(position, k).style, { background: css(rgb), color: inkOn(rgb) });
  }));
  document.querySelector(".legend").replaceWith(legend(measure));
}

function explanation() {
  const written = content.tokens.length > content.n_given
    ? ` Tokens from position ${content.n_given} on were written by the model.` : "";
  return element("p", { className: "muted" },
    `The token that each state predicts after the token read below it, by the ${content.lens}. State k is ` +
    "the residual stream after k blocks. Bold: the model's own prediction, that of the last state." + written);
}

const options = Object.entries(MEASURES).map(([name, { name: text }]) => [name, text]);
const menu = choice("colour", options, measure, (name) => { measure = name; paint(); });
document.querySelector("h1").textContent = content.title;
document.querySelector("main").append(
  explanation(),
  element("div", { className: "controls" }, labelled("colour", menu), legend(measure)),
  element("div", { className: "wide" }, table()),
  details,
);
paint();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
addEventListener("scroll", followCell, true);
cellAt(current.position, 0).scrollIntoView({ inline: "center", block: "nearest" });
