// Elements of the page, and how values read. Values become text nodes only: a record may say
// anything, and nothing of it is ever HTML.

const content = JSON.parse(document.getElementById("content").textContent);

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// Words between backticks are code, as in the README of an experiment.
function withCode(text) {
  return text.split("`").map((part, i) => (i % 2 ? element("code", {}, part) : part));
}

function shown(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(3) : String(Number(value.toPrecision(5)));
}

function labelled(text, control) {
  return element("label", {}, text, control);
}

// Options are [value, text] pairs, or groups of them by a name.
function choice(name, options, value, onchange) {
  const option = ([value, text]) => element("option", { value, textContent: text });
  const made = element("select", { name, onchange: () => onchange(made.value) });
  if (Array.isArray(options)) made.append(...options.map(option));
  else {
    for (const [label, own] of Object.entries(options)) {
      if (own.length) made.append(element("optgroup", { label }, ...own.map(option)));
    }
  }
  made.value = value;
  return made;
}

function colour(role) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${role}`).trim();
}
