// The tokens that a state finds likeliest, shown beside the cell that has the pointer or the focus.

const details = element("div", { id: "details", role: "tooltip", hidden: true });

function showDetails(cell, position, k) {
  details.replaceChildren(...detailsOf(position, k));
  details.hidden = false;
  describedCell()?.removeAttribute("aria-describedby");
  cell.setAttribute("aria-describedby", details.id);
  followCell();
}

function hideDetails() {
  details.hidden = true;
  describedCell()?.removeAttribute("aria-describedby");
}

function describedCell() {
  return document.querySelector(`[aria-describedby=${details.id}]`);
}

function followCell() {
  if (!details.hidden) place(describedCell().getBoundingClientRect());
}

// Below the cell or above it, wherever there is room, and inside the window.
function place(cell) {
  const { width, height } = details.getBoundingClientRect();
  const [wide, high] = [document.documentElement.clientWidth, innerHeight];
  const left = Math.min(Math.max(cell.left, 8), Math.max(wide - width - 8, 8));
  const isBelow = cell.bottom + height + 12 <= high || cell.top < height + 12;
  const top = isBelow ? Math.min(cell.bottom + 6, high - height - 6) : cell.top - height - 6;
  details.style.left = `${left}px`;
  details.style.top = `${Math.max(top, 6)}px`;
}

function detailsOf(position, k) {
  const { texts, tokens, measures } = content;
  const value = (measure) => measures[measure][position][k];
  const rank = content.target_ranks[position][k];
  const facts = [
    ["final token", `${texts[finalToken(position)]}, rank ${value("final_rank")} here`],
    ...(rank === null ? [] : [["next token", `${texts[tokens[position + 1]]}, rank ${rank} here`]]),
    ["KL to the final", `${shownNats(value("kl_nats"))} nats`],
    ["entropy", `${shownNats(value("entropy_nats"))} nats`],
  ];
  return [
    element("div", { className: "place muted" }, `state ${content.states[k]}, position ${position}, after `,
      element("code", {}, texts[tokens[position]])),
    element("ol", {}, ...content.top[position][k].map((token, i) =>
      likely(texts[token], content.probabilities[position][k][i]))),
    element("dl", {}, ...facts.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)])),
  ];
}

function finalToken(position) {
  return content.top[position].at(-1)[0];
}

function likely(text, probability) {
  const bar = element("span", { className: "share" });
  bar.style.width = `${100 * probability}%`;
  const value = probability >= 0.0005 ? probability.toFixed(3) : "<.001";
  return element("li", {}, bar, element("code", {}, text), element("span", { className: "number" }, value));
}
