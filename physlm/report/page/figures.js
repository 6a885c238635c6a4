// The figure of each experiment. As an image of its own none can clash with another, or run code.

function figuresView() {
  const sections = content.papers.flatMap((paper) => {
    const drawn = paper.experiments.filter((experiment) => experiment.figure !== null);
    if (!drawn.length) return [];
    const title = paper.title ? `${paper.name}: ${paper.title}` : paper.name;
    return [element("h2", {}, title), element("div", { className: "figures" }, ...drawn.map(figureOf))];
  });
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
