// The claims by paper, with their intervals and verdicts.

const WORDS = { holds: "holds", "does not hold": "fails", undecided: "undecided" };
const NOT_RUN = "not run";
const claimsShown = { which: "headline", word: "", text: "" };

function verdictClass(word) {
  return WORDS[word] ?? "muted";
}

function claimsView() {
  const list = element("div");
  const redraw = () => list.replaceChildren(...content.claims.flatMap(groupSections));
  const set = (name) => (value) => { claimsShown[name] = value; redraw(); };
  const words = [["", "any verdict"], ...[...Object.keys(WORDS), NOT_RUN].map((word) => [word, word])];
  const search = element("input", {
    type: "search", placeholder: "search claims", name: "claim-text", value: claimsShown.text,
    oninput: () => set("text")(search.value.toLowerCase()),
  });
  const which = [["headline", "headline claims"], ["all", "all claims"]];
  redraw();
  return element("section", {},
    element("div", { className: "controls" },
      choice("claim-which", which, claimsShown.which, set("which")),
      choice("claim-word", words, claimsShown.word, set("word")), search,
      element("span", { className: "muted" },
        "Coloured bar: 95% interval over seeds. Grey bar: bootstrap interval. Shaded: the claim holds.")),
    list);
}

function groupSections(group) {
  const { name, papers, n_left_out } = group;
  const heading = content.claims.length > 1 ? [element("h2", { className: "group" }, name)] : [];
  const n = n_left_out === 1 ? "1 claim has" : `${n_left_out} claims have`;
  const rest = n_left_out
    ? [element("p", { className: "muted" }, `${name}: ${n} no complete runs here.`)] : [];
  return [...heading, ...papers.map(paperSection), ...rest];
}

function titleOf(paper) {
  return paper.title ? `${paper.name}: ${paper.title}` : paper.name;
}

function paperSection(paper) {
  const all = paper.experiments.flatMap((experiment) => experiment.claims);
  const rows = paper.experiments.flatMap((experiment) =>
    experiment.claims.filter(isShown).map((claim) => claimRow(claim, experiment)));
  const link = paper.arxiv
    ? element("a", { href: `https://arxiv.org/abs/${paper.arxiv}` }, `arXiv ${paper.arxiv}`) : null;
  const head = ["verdict", "claim", "interval and bound", "experiment"];
  return element("div", {}, element("h2", {}, titleOf(paper)), verdictCounts(all, link),
    element("table", { className: "claims" },
      element("thead", {}, element("tr", {}, ...head.map((name) => element("th", {}, name)))),
      element("tbody", {}, ...rows)),
    mixedCode(paper.experiments.filter((experiment) => experiment.mixed_code)));
}

function mixedCode(experiments) {
  if (!experiments.length) return "";
  const parts = experiments.map((experiment) => `${experiment.name} of ${experiment.mixed_code}`);
  return element("p", { className: "muted" }, `Not all runs are of one revision of the code: ${parts.join("; ")}.`);
}

function isShown(claim) {
  const text = `${claim.id} ${claim.statement} ${claim.source} ${claim.metric}`.toLowerCase();
  return (claimsShown.which === "all" || claim.headline)
    && (!claimsShown.word || claim.verdict.word === claimsShown.word)
    && text.includes(claimsShown.text);
}

function verdictCounts(claims, link) {
  const bar = element("div", { className: "bar" });
  const parts = [];
  for (const [word, kind] of Object.entries(WORDS)) {
    const n = claims.filter((claim) => claim.verdict.word === word).length;
    bar.append(element("span", { className: kind, style: `flex: ${n}` }));
    parts.push(`${n} ${n === 1 ? word : { holds: "hold", fails: "do not hold" }[kind] ?? word}`);
  }
  const notRun = claims.filter((claim) => claim.verdict.word === NOT_RUN).length;
  const foreign = claims.filter((claim) => !(claim.verdict.word in WORDS)).length - notRun;
  if (foreign) parts.push(`${foreign} without runs of their configuration`);
  if (notRun) parts.push(`${notRun} ${notRun === 1 ? "has" : "have"} not been run`);
  const text = `of ${claims.length} claims, ${parts.join(", ")}`;
  return element("div", { className: "counts" }, bar, element("span", {}, text), link);
}

function claimRow(claim, experiment) {
  const { word, why, n } = claim.verdict;
  const count = element("div", { className: "muted" }, n ? `n = ${n}, ${claim.scale}` : claim.scale);
  return element("tr", { "data-claim": `${experiment.name}/${claim.id}` },
    element("td", {}, element("span", { className: `verdict ${verdictClass(word)}` }, word), count),
    element("td", {}, element("details", {}, element("summary", {}, claim.statement),
      element("dl", {}, ...claimDetails(claim, why)))),
    element("td", {}, drawnInterval(claim)),
    element("td", {},
      element("a", { href: experiment.readme, title: `README of ${experiment.name}` }, experiment.name),
      experiment.table ? element("div", {},
        element("a", { href: "#plot", onclick: () => plotOf(experiment.table, claim.metric) },
          "plot its metric")) : null));
}

function claimDetails(claim, why) {
  const rows = {
    paper: [`${claim.published} (${claim.source})`],
    here: [claim.measured],
    bound: [claim.bound],
    quantity: withCode(claim.quantity),
    command: [element("code", {}, claim.command)],
    id: [element("code", {}, claim.id)],
  };
  if (why) rows.because = [why];
  return Object.entries(rows).flatMap(([name, parts]) =>
    [element("dt", {}, name), element("dd", {}, ...parts)]);
}
