// Elements of the page and the text of values. Values become text nodes, never HTML: a record may
// hold any text.

const content = JSON.parse(await decompressed(document.getElementById("content").textContent));

function decompressed(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

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

// Draws, and moves the focus to the new element with the id of the one that had it. Without this a
// keyboard would start again at the top of the page after each choice.
function keepingFocus(draw) {
  const { id } = document.activeElement;
  draw();
  if (id) document.getElementById(id)?.focus();
}

// Text between backticks becomes code, as in Markdown.
function withCode(text) {
  return text.split("`").map((part, i) => (i % 2 ? element("code", {}, part) : part));
}

// A key or metric that may continue on another line after each of its parts.
function breakable(text) {
  return text.split(/(?<=[./,{])/).flatMap((part) => [part, element("wbr")]);
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

// A menu. Options are [value, text] pairs, or groups of pairs by name.
function choice(name, options, value, onchange) {
  const option = ([value, text]) => element("option", { value, textContent: text });
  const made = element("select", { name, id: name, onchange: () => onchange(made.value) });
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

function isDark() {
  return matchMedia("(prefers-color-scheme: dark)").matches;
}
