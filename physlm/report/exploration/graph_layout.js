// Where tokens and edges are drawn, in pixels: on a line with arcs above it, or on a circle.

const LABEL = 110; // room for the texts of tokens
const MARGIN = 14;

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const LAYOUTS = {
  arc: (n, room) => {
    const step = Math.min(Math.max((room - LABEL) / (n - 1), 13), 60);
    const [radius, left] = [(step * (n - 1)) / 2, LABEL / 2];
    const flat = Math.min(1, 300 / radius); // long arcs are flattened
    const base = radius * flat + MARGIN;
    const place = (i) => ({ x: left + i * step, y: base });
    return {
      width: 2 * left + step * (n - 1), height: base + LABEL, place,
      path: (i, j) => {
        const [from, to, r] = [place(j), place(i), (step * (i - j)) / 2];
        return `M${from.x} ${from.y}A${r} ${r * flat} 0 0 1 ${to.x} ${to.y}`;
      },
      label: (i) => ({ transform: `translate(${place(i).x} ${base + 14}) rotate(-60)`, "text-anchor": "end" }),
    };
  },
  circle: (n) => {
    const radius = Math.max(170, (n * 17) / (2 * Math.PI));
    const centre = radius + LABEL + MARGIN;
    const angle = (i) => (2 * Math.PI * i) / n - Math.PI / 2;
    const at = (i, r) => ({ x: centre + r * Math.cos(angle(i)), y: centre + r * Math.sin(angle(i)) });
    const place = (i) => at(i, radius);
    return {
      width: 2 * centre, height: 2 * centre, place,
      path: (i, j) => {
        const [from, to] = [place(j), place(i)];
        return `M${from.x} ${from.y}Q${centre} ${centre} ${to.x} ${to.y}`;
      },
      label: (i) => {
        const { x, y } = at(i, radius + 12);
        const isLeft = Math.cos(angle(i)) < -1e-6; // turned, so that no text is upside down
        const turned = (180 * angle(i)) / Math.PI + (isLeft ? 180 : 0);
        return { transform: `translate(${x} ${y}) rotate(${turned})`, "text-anchor": isLeft ? "end" : "start" };
      },
    };
  },
};
