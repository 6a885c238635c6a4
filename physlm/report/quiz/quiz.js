// Texts to study, then one question after the other, then the scores of reader and model by task.

const { name, texts, columns, items } = content;
const main = document.querySelector("main");
const given = []; // the reader's answers and whether they are right
document.querySelector("h1").textContent = content.title;

function show(...parts) {
  main.replaceChildren(element("section", {}, ...parts));
}

// Letters and digits alone, without case and accents.
function plain(text) {
  return text.normalize("NFKD").replace(/\p{M}+/gu, "").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();
}

function isRight(item, answer) {
  return item.accepted.some((accepted) => plain(accepted) === plain(answer));
}

function study() {
  if (!texts.length) return begin();
  show(
    element("p", {}, `${texts.length} texts, which ${name} read many times. Read them once or twice; the questions are about them, and do not show them again.`),
    ...texts.map((text) => element("p", { className: "text" }, text)),
    element("button", { id: "begin", onclick: () => ask(0) }, "Begin"),
  );
}

function begin() {
  show(
    element("p", {}, `${items.length} questions, which ${name} has answered, too.`),
    element("button", { id: "begin", onclick: () => ask(0) }, "Begin"),
  );
}

function ask(number) {
  if (number === items.length) return scores();
  const item = items[number];
  const isYesNo = ["yes", "no"].includes(plain(item.accepted[0]));
  const take = (answer) => {
    given.push([answer, isRight(item, answer)]);
    judge(number);
  };
  const field = element("input", { type: "text", id: "answer", autocomplete: "off", ariaLabel: "your answer" });
  const form = element(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        take(field.value);
      },
    },
    ...(isYesNo
      ? ["Yes", "No"].map((word) => element("button", { type: "button", onclick: () => take(word) }, word))
      : [field, element("button", { type: "submit" }, "Answer")]),
  );
  show(
    element("p", { className: "muted" }, `Question ${number + 1} of ${items.length}, ${item.task}`),
    element("p", { className: "question" }, item.question),
    form,
  );
  if (!isYesNo) field.focus();
}

function verdict(isRightOne) {
  return element("span", { className: isRightOne ? "right" : "wrong" }, isRightOne ? "right" : "wrong");
}

function answersOf(number) {
  const rows = [["you", ...given[number]], ...columns.map((column, i) => [column, ...items[number].answers[i]])];
  return element(
    "table",
    {},
    ...rows.map(([who, answer, ok]) =>
      element("tr", {}, element("th", { scope: "row" }, who), element("td", {}, answer || "–"), element("td", {}, verdict(ok))),
    ),
  );
}

function judge(number) {
  const next = element("button", { id: "next", onclick: () => ask(number + 1) }, number + 1 < items.length ? "Next" : "Scores");
  show(
    element("p", { className: "question" }, items[number].question),
    element("p", {}, `Correct: ${items[number].accepted[0]}`),
    answersOf(number),
    element("p", {}, next),
  );
  next.focus();
}

function scores() {
  const tasks = [...new Set(items.map((item) => item.task))];
  const share = (numbers, column) => {
    const right = numbers.filter((n) => (column < 0 ? given[n][1] : items[n].answers[column][1])).length;
    return `${right} of ${numbers.length}`;
  };
  const rowOf = (label, numbers) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, label),
      element("td", { className: "you" }, share(numbers, -1)),
      ...columns.map((_, i) => element("td", {}, share(numbers, i))),
    );
  const numbersOf = (task) => items.flatMap((item, n) => (item.task === task ? [n] : []));
  show(
    element(
      "div",
      { className: "wide" },
      element(
        "table",
        { id: "scores" },
        element("tr", {}, element("th", { scope: "col" }, "right answers"), element("th", { scope: "col", className: "you" }, "you"), ...columns.map((column) => element("th", { scope: "col" }, column))),
        ...tasks.map((task) => rowOf(task, numbersOf(task))),
        rowOf("all", items.map((_, n) => n)),
      ),
    ),
    element("p", {}, element("button", { onclick: () => { given.length = 0; study(); } }, "Again")),
  );
}

study();
