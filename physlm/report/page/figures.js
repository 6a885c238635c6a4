// The committed figure of each experiment, as an image of its own: it cannot run code, and its ids
// and styles cannot clash with those of another.

function figuresOf(source) {
  return source.claims.flatMap((group) => group.papers).map((paper) => ({
    title: titleOf(paper),
    drawn: paper.experiments.filter((experiment) => experiment.figure !== null),
  })).filter(({ drawn }) => drawn.length > 0);
}

function figuresView() {
  const sections = figuresOf(content).flatMap(({ title, drawn }) => [
    element("h2", {}, title), element("div", { className: "figures" }, ...drawn.map(figureOf))]);
  return element("section", {}, ...sections);
}

function figureOf(experiment) {
  const src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(experiment.figure)}`;
  const mixed = experiment.mixed_code
    ? element("div", { className: "muted" }, `runs of ${experiment.mixed_code}`) : null;
  return element("figure", {},
    element("h3", {}, element("a", { href: experiment.readme }, experiment.title)),
    element("div", { className: "muted" }, `${experiment.name}: ${experiment.result}`), mixed,
    element("img", { src, alt: experiment.title, loading: "lazy" }));
}
