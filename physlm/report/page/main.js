// The views, one at a time. The address names the view, so that it can be linked to.

const VIEWS = { claims: claimsView, runs: runsView, plot: plotView, curves: curvesView,
  differences: differencesView, figures: figuresView };
const IS_SHOWN = { claims: content.claims.length > 0, figures: figuresOf(content).length > 0 };
const names = Object.keys(VIEWS).filter((name) => IS_SHOWN[name] ?? true);
const FIRST = content.claims.some((group) => group.papers.length > 0) ? "claims" : "runs";

function show() {
  const wanted = location.hash.slice(1);
  const name = names.includes(wanted) ? wanted : FIRST;
  document.querySelector("nav").replaceChildren(...names.map((other) =>
    element("a", { href: `#${other}`, id: `view:${other}`, ...(other === name && { "aria-current": "page" }) }, other)));
  document.querySelector("main").replaceChildren(VIEWS[name](redraw));
}

function redraw() {
  keepingFocus(show);
}

document.querySelector("h1").textContent = content.title;
document.querySelector("header").append(element("nav"));
selectTable(content.tables[0].name);
addEventListener("hashchange", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
redraw();
