// The details beside the drawing: of the graph, of a token, or of an edge.

const NEIGHBOURS = 12; // most edges in a list
const details = element("aside", { id: "details", "aria-live": "polite" });

// The attention that token i pays to token j, which is not a later one.
function attention(i, j) {
  return graph().attention[(i * (i + 1)) / 2 + j] / content.unit;
}

// The weight of the edge between two tokens: the mean of the map and its transpose.
function weight(i, j) {
  return attention(Math.max(i, j), Math.min(i, j)) / 2;
}

function edges() {
  const found = [];
  content.texts.forEach((_, i) => {
    for (let j = 0; j < i; j += 1) found.push({ i, j, w: weight(i, j) });
  });
  return found.sort((a, b) => b.w - a.w);
}

function tokenName(i) {
  return [element("code", {}, content.texts[i]), element("span", { className: "muted" }, ` ${i}`)];
}

function facts(pairs) {
  return element("dl", {}, ...pairs.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]));
}

function listOf(items) {
  return element("ol", {}, ...items.map(([parts, w]) =>
    element("li", {}, element("span", { className: "pair" }, ...parts), element("span", { className: "number" }, w.toFixed(4)))));
}

function showGraph() {
  const [second, largest] = graph().eigenvalues;
  const heaviest = edges().slice(0, NEIGHBOURS);
  details.replaceChildren(
    element("h2", {}, `layer ${view.layer}, ${view.head < 0 ? "mean of heads" : `head ${view.head}`}`),
    facts([["Fiedler value \u03bb\u2082", second.toFixed(4)], ["largest \u03bb", largest.toFixed(4)],
      ["tokens", String(content.texts.length)]]),
    element("h3", {}, "heaviest edges"),
    listOf(heaviest.map(({ i, j, w }) => [[...tokenName(j), " \u2013 ", ...tokenName(i)], w])),
  );
}

function showToken(i) {
  const others = content.texts.map((_, j) => j).filter((j) => j !== i);
  const nearest = others.map((j) => [j, weight(i, j)]).sort((a, b) => b[1] - a[1]).slice(0, NEIGHBOURS);
  details.replaceChildren(
    element("h2", {}, "token ", ...tokenName(i)),
    facts([["degree", graph().degrees[i].toFixed(4)], ["Fiedler vector", graph().fiedler[i].toFixed(4)],
      ["attention to itself", attention(i, i).toFixed(4)]]),
    element("h3", {}, `heaviest of its ${others.length} edges`),
    listOf(nearest.map(([j, w]) => [[j < i ? "reads " : "read by ", ...tokenName(j)], w])),
  );
}

function showEdge(i, j) {
  details.replaceChildren(
    element("h2", {}, "edge ", ...tokenName(j), " \u2013 ", ...tokenName(i)),
    facts([["weight", weight(i, j).toFixed(4)], [`attention of ${i} to ${j}`, attention(i, j).toFixed(4)]]),
  );
}
