// One view at a time; its name stands in the address, so that it can be linked to.

const VIEWS = { claims: claimsView, runs: runsView, plot: plotView, curves: curvesView,
  differences: differencesView, figures: figuresView };
const isKept = (name) => content.papers.length > 0 || (name !== "claims" && name !== "figures");
const names = Object.keys(VIEWS).filter(isKept);

function show() {
  const asked = location.hash.slice(1);
  const name = names.includes(asked) ? asked : names[0];
  document.querySelector("nav").replaceChildren(...names.map((other) =>
    element("a", { href: `#${other}`, ...(other === name && { "aria-current": "page" }) }, other)));
  document.querySelector("main").replaceChildren(VIEWS[name](show));
}

document.querySelector("h1").textContent = content.title;
selectTable(content.tables[0].name);
addEventListener("hashchange", show);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
show();
