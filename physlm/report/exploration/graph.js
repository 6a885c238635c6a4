// The attention graph of one layer and head. One token is in the tab order; arrow keys move.

const view = { layer: content.layer, head: content.head, layout: "arc", share: 0.05 };
let current = 0; // the token in the tab order

function graph() {
  const layer = content.layers.indexOf(view.layer);
  const head = view.head < 0 ? content.n_heads : view.head;
  const of = (name) => content[name][layer][head];
  return { attention: of("attention"), degrees: of("degrees"), fiedler: of("fiedler"), eigenvalues: of("eigenvalues") };
}

function fiedlerColour(value, largest) {
  const share = largest > 0 ? Math.abs(value) / largest : 0;
  return css(colours(value < 0 ? "fiedler-negative" : "fiedler-positive")(share));
}

function drawnEdge({ i, j, w }, heaviest, layout) {
  const share = w / heaviest;
  return svg("path", { class: "edge", d: layout.path(i, j), "stroke-width": (0.4 + 7 * share).toFixed(2),
    "stroke-opacity": (0.15 + 0.65 * share).toFixed(3), "data-i": i, "data-j": j, "data-weight": w,
    onmouseenter: (event) => { mark((edge) => edge === event.target); showEdge(i, j); }, onmouseleave: restore });
}

function drawnToken(i, layout) {
  const { x, y } = layout.place(i);
  const { fiedler } = graph();
  const fill = fiedlerColour(fiedler[i], Math.max(...fiedler.map(Math.abs)));
  const name = `${content.texts[i]}, token ${i}`;
  return svg("g", { class: "token", id: `token:${i}`, tabindex: i === current ? 0 : -1, role: "button", "aria-label": name,
    onmouseenter: () => showOnly(i), onmouseleave: restore, onclick: () => tokenAt(i).focus(),
    onfocus: () => { move(i); showOnly(i); }, onblur: restore, onkeydown: (event) => press(event, i) },
    svg("circle", { cx: x, cy: y, r: 6, fill }),
    svg("text", layout.label(i), content.texts[i].length > 14 ? `${content.texts[i].slice(0, 13)}\u2026` : content.texts[i]));
}

function tokenAt(i) {
  return document.getElementById(`token:${i}`);
}

function showOnly(i) {
  mark((edge) => Number(edge.dataset.i) === i || Number(edge.dataset.j) === i);
  showToken(i);
}

function mark(isMarked) {
  document.querySelector("#graph").classList.add("marking");
  for (const edge of document.querySelectorAll(".edge")) edge.classList.toggle("marked", isMarked(edge));
}

// When the pointer leaves, the details are again those of the focused token, if any, or of the graph.
function restore() {
  document.querySelector("#graph").classList.remove("marking");
  if (document.activeElement.classList.contains("token")) showOnly(current);
  else showGraph();
}

function move(i) {
  tokenAt(current).setAttribute("tabindex", -1);
  current = i;
  tokenAt(i).setAttribute("tabindex", 0);
}

function press(event, i) {
  const to = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: content.texts.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  tokenAt(to)?.focus();
}

function draw() {
  const place = document.querySelector("#graph");
  const layout = LAYOUTS[view.layout](content.texts.length, place.clientWidth);
  const found = edges().filter(({ w }) => w > 0);
  const drawn = found.filter(({ w }) => w >= view.share * found[0].w);
  const lines = drawn.toReversed().map((edge) => drawnEdge(edge, found[0].w, layout)); // the heaviest on top
  const tokens = content.texts.map((_, i) => drawnToken(i, layout));
  place.classList.remove("marking");
  place.replaceChildren(svg("svg",
    { width: layout.width, height: layout.height, role: "group", "aria-label": "attention graph" }, ...lines, ...tokens));
  const heaviest = found.length ? `; the heaviest weighs ${found[0].w.toFixed(4)}` : "";
  document.querySelector("#count").textContent = `${drawn.length} of ${found.length} edges${heaviest}`;
  showGraph();
}

function key() {
  const [low, high] = ["fiedler-negative", "fiedler-positive"].map((role) => css(colours(role)(1)));
  const bar = element("span", { className: "scale" });
  bar.style.background = `linear-gradient(to right, ${low}, ${css(colours("fiedler-positive")(0))}, ${high})`;
  return element("span", { className: "legend muted" }, "Fiedler vector: negative", bar, "positive");
}

function menu(name, options, set) {
  return labelled(name, choice(name, options, String(view[name === "edges" ? "share" : name]), (value) => { set(value); draw(); }));
}

function explanation() {
  const alone = content.layers.length === 1 ? " The text is long, so the page has one layer only; explore a shorter text to see all." : "";
  return element("p", { className: "muted" },
    "The weight of an edge is half the attention between its two tokens, (A + A\u1d40)/2 without self loops. " +
    "The colour of a token is its entry in the Fiedler vector of the symmetric normalised Laplacian, whose sign splits " +
    "the graph close to its lightest normalised cut. Point at a token or an edge for its numbers." + alone);
}

const heads = [["-1", "mean"], ...Array.from({ length: content.n_heads }, (_, i) => [String(i), String(i)])];
const shares = [["0", "all"], ["0.01", "at least 1% of the heaviest"], ["0.05", "at least 5%"], ["0.2", "at least 20%"]];
document.querySelector("h1").textContent = content.title;
document.querySelector("main").append(
  explanation(),
  element("div", { className: "controls" },
    menu("layer", content.layers.map((i) => [String(i), String(i)]), (value) => { view.layer = Number(value); }),
    menu("head", heads, (value) => { view.head = Number(value); }),
    menu("layout", Object.keys(LAYOUTS).map((name) => [name, name]), (value) => { view.layout = value; }),
    menu("edges", shares, (value) => { view.share = Number(value); }),
    key(), element("span", { id: "count", className: "muted" })),
  element("div", { className: "columns" }, element("div", { id: "graph" }), details),
);
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.querySelector(".legend").replaceWith(key());
  draw();
});
