"""Problems of iGSM as one would draw them in plain Python, with sets, lists and dictionaries."""

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from physlm.data.tasks.igsm import WORLD, Igsm
from physlm.data.tasks.igsm.language import LETTERS, MODULUS
from physlm.data.tasks.igsm.template import bin_of

Item = tuple[int, int]  # layer and number
Parameter = tuple[Item, Item | int]  # an item and what it holds, or a level
CONSTANT: Parameter = ((-1, -1), -1)  # the random constant as a parent


@dataclass
class Graph:
    """A structure graph and the parents of all parameters."""

    depth: int
    widths: list[int]
    children: dict[Item, list[Item]]
    parents: dict[Parameter, list[Parameter]]
    order: list[Parameter] = field(default_factory=list)

    @property
    def instances(self) -> list[Parameter]:
        """All instance parameters."""
        return [p for p in self.parents if not is_abstract(p)]

    def abstract(self, level: int) -> list[Parameter]:
        """All abstract parameters of a level."""
        return [p for p in self.parents if p[1] == level]

    def cost(self, p: Parameter) -> int:
        """Operations that compute a parameter."""
        return max(len(self.parents[p]) - 1, 1)


def is_abstract(p: Parameter) -> bool:
    """Whether a parameter counts things of a category."""
    return isinstance(p[1], int)


def plain_igsm(task: Igsm, rng: random.Random) -> list[str]:
    """The words of one document."""
    op = min(rng.randint(1, task.op_max), rng.randint(1, task.op_max))
    while True:
        s = plain_sizes(task.ip_max, op, rng)
        for _ in range(1000):
            graph = plain_structure(s, rng)
            n_min = choose(graph, s, rng)
            if graph.order:
                break
        if not graph.order or not densify(graph, op, n_min, rng):
            continue
        add_unused(graph, rng)
        names = plain_names(graph, rng)
        rules, values = plain_values(graph, rng)
        solution = write_solution(graph, rules, values, names, rng)
        if bin_of(solution) < task.n_train_bins:
            query = graph.order[-1]
            problem = write_problem(graph, rules, names, rng)
            asked = ["How", "many", *names[query[1], query[0]], "has", *names[query[0]], "?"]
            answer = ["<answer>", str(values[query])]
            return ["bos", "<problem>", *problem, *asked, "<solution>", *solution, *answer]


def plain_sizes(ip_max: int, s: int, rng: random.Random) -> dict[str, float]:
    """Sizes for a number of operations."""
    n = max(rng.randint(1, s), rng.randint(1, s))
    m = rng.randint(n, s)
    rho = (s - 1) / (ip_max - 1)
    weights = [math.exp(-((rho - c) ** 2)) for c in (0.2, 0.5, 0.8)]
    while True:
        d, a, b = rng.choices((2, 3, 4), weights, k=3)
        w0, w1 = min(a, b), max(a, b)
        if (d - 1) * w0 <= ip_max:
            break
    e = min(rng.randint((d - 1) * w0, ip_max), rng.randint((d - 1) * w0, ip_max))
    e = min(e, (d - 1) * w1**2)
    return {"n": n, "m": m, "d": d, "w0": w0, "w1": w1, "e": e, "p": rng.random()}


def plain_structure(s: dict[str, float], rng: random.Random) -> Graph:
    """Layers, edges and all parameters."""
    widths = [int(s["w0"])] * int(s["d"])
    while True:
        most = sum(a * b for a, b in itertools.pairwise(widths))
        narrow = [i for i, width in enumerate(widths) if width < s["w1"]]
        if most >= s["e"] and (sum(widths[1:]) == s["e"] or rng.random() >= s["p"] or not narrow):
            break
        widths[rng.choice(narrow)] += 1
    layers = [[(i, k) for k in range(width)] for i, width in enumerate(widths)]
    edges = {(rng.choice(layers[i - 1]), k) for i in range(1, len(layers)) for k in layers[i]}
    free = [
        (j, k)
        for above, below in itertools.pairwise(layers)
        for j in above
        for k in below
        if (j, k) not in edges
    ]
    edges |= set(rng.sample(free, int(s["e"]) - len(edges)))
    children = {j: [k for k in below if (j, k) in edges] for above, below in
                itertools.pairwise(layers) for j in above}  # fmt: skip
    parents: dict[Parameter, list[Parameter]] = {edge: [] for edge in sorted(edges)}
    for i in range(len(layers) - 2, -1, -1):
        for j in layers[i]:
            for level in range(1, len(layers) - i):
                of = parents[j, level] = []
                for k in children[j]:
                    of += [(j, k)] if level == 1 else [(j, k), (k, level - 1)]
    return Graph(len(widths), widths, children, parents)


def choose(graph: Graph, s: dict[str, float], rng: random.Random) -> int:
    """Choose what is needed and draw its order; returns its operations."""
    most = len(graph.instances)
    for j, held in graph.children.items():
        c = len(held)
        most += (c - 1 if c > 1 else c) + max(2 * c - 1, 0) * (graph.depth - 2 - j[0])
    budget = min(int(s["n"]), most)
    more, chosen, n_min = int(s["m"]) - budget, set[Parameter](), 0
    while budget:
        needed = best_abstract(graph, chosen, budget, rng)
        if not needed:
            more += budget
            break
        cost = sum(map(graph.cost, needed))
        chosen |= needed
        budget -= cost
        n_min += cost
    free = [p for p in graph.instances if p not in chosen]
    added = rng.sample(free, min(more, len(free)))
    graph.order = plain_order(graph, chosen | set(added), rng)
    return n_min + len(added)


def best_abstract(
    graph: Graph, chosen: set[Parameter], budget: int, rng: random.Random
) -> set[Parameter]:
    """An abstract parameter of the highest level within the budget, with all that it needs."""
    best: set[Parameter] = set()
    for level in range(1, graph.depth):
        free = [p for p in graph.abstract(level) if p not in chosen]
        if not free:
            continue
        needed, waiting = set[Parameter](), [rng.choice(free)]
        while waiting:
            p = waiting.pop()
            if p not in needed and p not in chosen:
                needed.add(p)
                waiting += graph.parents[p]
        if sum(map(graph.cost, needed)) > budget:
            break
        best = needed
    return best


def plain_order(graph: Graph, chosen: set[Parameter], rng: random.Random) -> list[Parameter]:
    """An order in which each parameter is needed for the last one; empty if it fails."""
    p_parent, bias = rng.random(), abs(rng.gauss(0, 1))
    unplaced, placed, wanted = sorted(chosen, key=str), list[Parameter](), set[Parameter]()

    def free() -> list[Parameter]:
        blocked = {q for p in unplaced if is_abstract(p) for q in graph.parents[p]}
        return [p for p in unplaced if p not in blocked]

    while unplaced:
        among = [p for p in free() if p in wanted] if placed else free()
        if not among:
            return []
        x = rng.choice(among)
        placed.append(x)
        unplaced.remove(x)
        if is_abstract(x):
            wanted |= set(graph.parents[x])
        elif unplaced:
            is_asked = rng.random() < p_parent
            possible = free()
            is_forced = not any(p in wanted for p in possible)
            if is_asked or is_forced:
                pool = possible if is_forced else unplaced
                weights = [math.exp(bias * (is_abstract(p) + (p not in wanted))) for p in pool]
                y = rng.choices(pool, weights)[0]
                graph.parents[x].append(y)
                wanted.add(y)
    return placed[::-1]


def densify(graph: Graph, op: int, n_min: int, rng: random.Random) -> bool:
    """Draw all parents of needed instance parameters; whether there are ``op`` operations."""
    spare = {
        i: min(i + 1, 4) - 2 for i, p in enumerate(graph.order) if not is_abstract(p) and i > 1
    }
    extra = dict.fromkeys(spare, 0)
    for _ in range(op - n_min):
        places = [i for i in spare if extra[i] < spare[i]]
        if not places:
            return False
        extra[rng.choice(places)] += 1
    for i, x in enumerate(graph.order):
        if is_abstract(x):
            continue
        k = min(extra[i] + 2 if extra.get(i) else rng.randint(1, 2), i + 1, 4)
        pool = [CONSTANT, *graph.order[:i]]
        if k < len(pool):
            for p in graph.parents[x]:
                pool.remove(p)
                k -= 1
            if k and rng.random() < 0.5:
                pool.remove(CONSTANT)
                graph.parents[x].append(CONSTANT)
                k -= 1
            graph.parents[x] += rng.sample(pool, k)
        else:
            graph.parents[x] = pool
    return True


def add_unused(graph: Graph, rng: random.Random) -> None:
    """Draw the parents of instance parameters that are not needed."""
    known, independent = set(graph.order), set[Parameter]()
    unused = [p for p in graph.instances if p not in known]
    rng.shuffle(unused)
    for x in unused:
        is_independent = rng.random() < 0.5
        for p in graph.parents:
            if is_abstract(p) and known.issuperset(graph.parents[p]):
                known.add(p)
        pool = sorted(independent if is_independent else known, key=str)
        k = 1
        while k < min(len(pool) + 1, 4) and rng.random() < 0.5:
            k += 1
        if k == len(pool) + 1 or rng.random() < 0.5:
            graph.parents[x].append(CONSTANT)
            k -= 1
        graph.parents[x] += rng.sample(pool, k)
        known.add(x)
        if is_independent:
            independent.add(x)


Names = dict[Item | tuple[Item | int, Item], list[str]]


def plain_names(graph: Graph, rng: random.Random) -> Names:
    """The words of each item, and of what each item may hold."""
    hierarchy = rng.choice(WORLD.hierarchies)
    first = rng.randint(0, len(hierarchy) - graph.depth)
    names: Names = {}
    for i, width in enumerate(graph.widths):
        subcategory = rng.choice(hierarchy[first + i].subcategories)
        for k, item in enumerate(rng.sample(subcategory, width)):
            names[i, k] = item.split()
    for j, owned in graph.parents:
        if isinstance(owned, int):
            names[owned, j] = [hierarchy[first + j[0] + owned].name]
        else:
            names[owned, j] = names[owned]
    return names


@dataclass
class Rule:
    """How an instance parameter follows from its parents."""

    parents: list[Parameter]
    constant: int | None
    is_product: bool
    is_difference: bool


def plain_values(
    graph: Graph, rng: random.Random
) -> tuple[dict[Parameter, Rule], dict[Parameter, int]]:
    """Rules of instance parameters, and values of what is needed."""
    rules: dict[Parameter, Rule] = {}
    for p in graph.instances:
        others = [q for q in graph.parents[p] if q != CONSTANT]
        rng.shuffle(others)
        has_constant = CONSTANT in graph.parents[p]
        is_product = has_constant and bool(others) and rng.random() < 0.5
        constant = rng.randint(int(is_product), 22) if has_constant else None
        rules[p] = Rule(others, constant, is_product, len(others) == 2 and rng.random() < 0.5)
    values: dict[Parameter, int] = {}
    for p in graph.order:
        if is_abstract(p):
            of = [values[q] for q in graph.parents[p]]
            pairs = zip(of[::2], of[1::2], strict=True) if p[1] != 1 else ((v, 1) for v in of)
            values[p] = sum(a * b for a, b in pairs) % MODULUS
        else:
            rule = rules[p]
            of = [values[q] for q in rule.parents]
            base = of[0] - of[1] if rule.is_difference else sum(of)
            if rule.constant is not None:
                base = base * rule.constant if rule.is_product else base + rule.constant
            values[p] = base % MODULUS
    return rules, values


def name_of(p: Parameter, names: Names) -> list[str]:
    """The words of a parameter."""
    return [*names[p[0]], "'s", *names[p[1], p[0]]]


def write_problem(
    graph: Graph, rules: dict[Parameter, Rule], names: Names, rng: random.Random
) -> list[str]:
    """The words of all sentences."""
    words: list[str] = []
    for p in rng.sample(graph.instances, len(graph.instances)):
        rule = rules[p]
        words += ["The", "number", "of", "each", *name_of(p, names), "equals"]
        if rule.constant is not None:
            words.append(str(rule.constant))
            if rule.parents:
                words += ["times"] if rule.is_product else ["more", "than"]
        if len(rule.parents) > 1:
            words += ["the", "difference" if rule.is_difference else "sum", "of"]
        for i, q in enumerate(rule.parents):
            words += ["and", "each"] if i else ["each"]
            words += name_of(q, names)
        words.append(".")
    return words


def write_solution(
    graph: Graph,
    rules: dict[Parameter, Rule],
    values: dict[Parameter, int],
    names: Names,
    rng: random.Random,
) -> list[str]:
    """The words of a solution."""
    letters = iter(rng.sample(LETTERS, len(LETTERS)))
    of: dict[Parameter, tuple[str, int]] = {}
    words: list[str] = []
    for p in graph.order:
        steps, last = plain_steps(p, graph, rules, of, letters)
        letter = steps[-1][0] if steps else next(letters)
        words += ["Define", *name_of(p, names), "as", letter, ";"]
        for i, (result, left, operator, right, value) in enumerate(steps):
            words += ["so"] if i == len(steps) - 1 else []
            words += [result, "=", left[0], operator, right[0], "="]
            words += [str(left[1]), operator, str(right[1]), "=", str(value)]
            words += [";"] if i < len(steps) - 1 else []
        if not steps:
            words += ["so", letter, "=", *([last[0], "="] if last[0] else []), str(last[1])]
        words.append(".")
        of[p] = (letter, values[p])
    return words


Term = tuple[str, int]
Step = tuple[str, Term, str, Term, int]


def plain_steps(
    p: Parameter,
    graph: Graph,
    rules: dict[Parameter, Rule],
    of: dict[Parameter, Term],
    letters: Iterator[str],
) -> tuple[list[Step], Term]:
    """The operations of a parameter, and the term that it is equal to if there are none."""
    steps: list[Step] = []

    def operate(left: Term, operator: str, right: Term) -> Term:
        combined = {"+": left[1] + right[1], "-": left[1] - right[1], "*": left[1] * right[1]}
        value = combined[operator] % MODULUS
        letter = next(letters)
        steps.append((letter, left, operator, right, value))
        return letter, value

    parents = graph.parents[p] if is_abstract(p) else rules[p].parents
    operator = "-" if not is_abstract(p) and rules[p].is_difference else "+"
    step = 2 if is_abstract(p) and p[1] != 1 else 1
    total: Term | None = None
    for i in range(0, len(parents), step):
        term = of[parents[i]]
        if step == 2:
            term = operate(term, "*", of[parents[i + 1]])
        total = term if total is None else operate(total, operator, term)
    if not is_abstract(p) and rules[p].constant is not None:
        constant = rules[p].constant
        if total is None:
            return steps, ("", int(constant or 0))
        own = (str(constant), int(constant or 0))
        total = operate(own, "*" if rules[p].is_product else "+", total)
    return steps, total or ("", 0)
