// The measures that colour cells, from the colour of the page to that of the measure; a high rank,
// like a low probability, is pale.

const MEASURES = {
  top1_probability: { name: "probability of the top token", ends: () => ["0", "1"], of: (value) => value },
  final_rank: { name: "rank of the final token", ends: (most) => [shown(most), "1"],
    of: (value, most) => (most > 1 ? 1 - Math.log(value) / Math.log(most) : 1) },
  kl_nats: { name: "KL to the final state (nats)", ends: (most) => ["0", shownNats(most)], of: shareOf },
  entropy_nats: { name: "entropy (nats)", ends: (most) => ["0", shownNats(most)], of: shareOf },
};

function shareOf(value, most) {
  return most > 0 ? Math.max(value, 0) / most : 0;
}

function shownNats(value) {
  return Math.max(value, 0).toFixed(2);
}

function most(measure) {
  return Math.max(...content.measures[measure].map((values) => Math.max(...values)));
}

// The colours between that of the page (0) and that of a measure (1).
function colours(measure) {
  const [pale, full] = [colour("page"), colour(measure.replaceAll("_", "-"))].map(channels);
  return (share) => pale.map((from, i) => Math.round(from + share * (full[i] - from)));
}

function channels(hex) {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

// Black or white, whichever differs more: at least 4.5 to 1, as WCAG asks for.
function inkOn(rgb) {
  const linear = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#000" : "#fff";
}

function css(rgb) {
  return `rgb(${rgb.join(" ")})`;
}

function legend(measure) {
  const [low, high] = MEASURES[measure].ends(most(measure));
  const mix = colours(measure);
  const bar = element("span", { className: "scale" });
  bar.style.background = `linear-gradient(to right, ${css(mix(0))}, ${css(mix(1))})`;
  return element("span", { className: "legend muted" }, low, bar, high);
}
