// The 95% interval of a claim, drawn against its bound.

const WIDTH = 284, LEFT = 10, RIGHT = 274, MIDDLE = 14;

function svg(tag, attributes, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== null) made.textContent = text;
  return made;
}

// The scale of a picture: from the least to the greatest number in it, with a margin.
function scaleOf(numbers) {
  const least = Math.min(...numbers), greatest = Math.max(...numbers);
  const margin = (greatest - least || Math.abs(greatest) || 1) * 0.12;
  const from = least - margin, to = greatest + margin;
  return (x) => LEFT + ((x - from) / (to - from)) * (RIGHT - LEFT);
}

function drawnInterval(claim) {
  const { value, low, high, resampled } = claim.verdict;
  const { at_least: least, at_most: most } = claim.expect;
  const picture = svg("svg", { class: "interval", viewBox: `0 0 ${WIDTH} 40`, role: "img" });
  picture.append(svg("title", {}, `${claim.measured}; bound: ${claim.bound}`));
  if (value === null) return picture;
  const isThere = (x) => x !== undefined && x !== null;
  const x = scaleOf([value, low, high, least, most, ...(resampled ?? [])].filter(isThere));
  const bounds = [least, most].filter(isThere);
  const from = isThere(least) ? x(least) : 0, to = isThere(most) ? x(most) : WIDTH;
  picture.append(svg("rect", { class: "bound", x: from, width: Math.max(0, to - from), y: 2, height: 24 }));
  picture.append(svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: MIDDLE, y2: MIDDLE }));
  for (const bound of bounds) {
    picture.append(svg("line", { class: "edge", x1: x(bound), x2: x(bound), y1: 2, y2: 26 }));
    picture.append(label(x(bound), shown(bound), "muted"));
  }
  const kind = verdictClass(claim.verdict.word);
  if (resampled) {
    picture.append(line("resampled", x(resampled[0]), x(resampled[1]), MIDDLE + 6, 2));
  }
  if (isThere(low)) {
    const ends = [x(low), x(high)];
    picture.append(line(kind, ...ends, MIDDLE, 3));
    for (const end of ends) {
      picture.append(svg("line", { class: kind, x1: end, x2: end, y1: MIDDLE - 4, y2: MIDDLE + 4, "stroke-width": 1.5 }));
    }
  }
  picture.append(svg("circle", { class: kind, cx: x(value), cy: MIDDLE, r: 4 }));
  const place = freePlace(x(value), bounds.map(x));
  if (place !== undefined) picture.append(label(place, value.toFixed(3)));
  return picture;
}

function line(kind, x1, x2, y, width) {
  return svg("line", { class: kind, x1, x2, y1: y, y2: y, "stroke-width": width });
}

// The place of a value's label: at the value, or as near as the labels of the bounds allow.
function freePlace(wanted, taken) {
  const isFree = (x) => x >= 20 && x <= WIDTH - 20 && taken.every((other) => Math.abs(other - x) >= 38);
  const beside = taken.flatMap((other) => [other - 38, other + 38]).filter(isFree);
  beside.sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted));
  return isFree(wanted) ? wanted : beside[0];
}

function label(x, text, kind = "value") {
  const place = Math.min(Math.max(x, 16), WIDTH - 16);
  return svg("text", { class: kind, x: place, y: 37, "text-anchor": "middle" }, text);
}
