"""Drawing documents of synthetic tasks: ours, and the same in plain Python."""

import random
from collections.abc import Callable

from benchmarks.timing import Row, compare
from physlm.data.tasks.brevo import Brevo
from physlm.data.tasks.copy import Copy
from physlm.data.tasks.depo import Depo
from physlm.data.tasks.mano import Mano
from physlm.data.tasks.names import NameLaw, size_law
from physlm.data.tasks.synthetic_task import SyntheticTask

_N_DRAWN, _N_PLAIN = 5000, 100

Document = list[object]
Name = tuple[int, ...]


def task_rows() -> list[Row]:
    """On one core; a laptop trains on about 100,000 tokens a second."""
    brevo_2 = Brevo(n_max=30, shortest_name=2, longest_name=4, n_symbols=4)
    depo_2 = Depo(n_max=75, k_max=16, shortest_name=5, longest_name=7, n_symbols=3)
    depo_1, brevo_1, mano, copy = Depo(), Brevo(), Mano(), Copy()
    return [
        _row("Depo1, N=225", depo_1, lambda rng: plain_depo(depo_1, rng)),
        _row("Depo2, N=75", depo_2, lambda rng: plain_depo(depo_2, rng)),
        _row("Brevo1, N=70", brevo_1, lambda rng: plain_brevo(brevo_1, rng)),
        _row("Brevo2, N=30", brevo_2, lambda rng: plain_brevo(brevo_2, rng)),
        _row("Mano, L=10", mano, lambda rng: plain_mano(mano, rng)),
        _row("copy of 500", copy, lambda rng: plain_copy(copy, rng)),
    ]


def _row(shape: str, task: SyntheticTask, plain: Callable[[random.Random], Document]) -> Row:
    numbers, rng = iter(range(10**6)), random.Random(0)

    def ours() -> int:
        first = next(numbers) * _N_DRAWN
        return len(task.numbered(0, first, first + _N_DRAWN, {}).tokens)

    def theirs() -> int:
        return sum(len(plain(rng)) for _ in range(_N_PLAIN))

    return compare("drawing documents", shape, "plain Python", ours=ours, theirs=theirs)


def plain_names(law: NameLaw, n: int, rng: random.Random) -> list[Name]:
    """Distinct names, in random order."""
    found: set[Name] = set()
    while len(found) < n:
        length = rng.randint(law.shortest, law.longest)
        symbols = [rng.randrange(law.n_symbols) for _ in range(length)]
        found.add((*symbols[:-1], symbols[-1] + law.last))
    names = sorted(found)
    rng.shuffle(names)
    return names


def plain_size(n_max: int, rng: random.Random) -> int:
    """The number of names."""
    return rng.choices(range(3, n_max + 1), size_law(n_max).tolist())[0]


def plain_depo(task: Depo, rng: random.Random) -> Document:
    """One document of Depo."""
    n = plain_size(task.n_max, rng)
    cycle = plain_names(task.law, n, rng)
    document: Document = ["bos"]
    for i in rng.sample(range(n), n):
        document += [*cycle[i], *cycle[(i + 1) % n]]
    for i in rng.sample(range(n), min(n, task.n_queries)):
        k = rng.randint(1, task.k_max)
        document += [f"query_{k}", *cycle[i], "ans", *cycle[(i + k) % n]]
    return document


def plain_brevo(task: Brevo, rng: random.Random) -> Document:
    """One document of Brevo."""
    n = plain_size(task.n_max, rng)
    n_sources = rng.randint(1, (n - 1) // 4 + 1)
    parents: dict[int, list[int]] = {v: [] for v in range(n)}
    n_children = [0] * n
    for v in range(n_sources, n):
        free = [u for u in range(v) if n_children[u] < 4]
        parents[v] = rng.sample(free, rng.randint(1, min(4, len(free))))
        for u in parents[v]:
            n_children[u] += 1
    names = plain_names(task.law, n, rng)
    edges = [(u, v) for v in range(n) for u in parents[v]]
    rng.shuffle(edges)
    document: Document = ["bos"]
    for u, v in edges:
        document += [*names[u], *names[v]]
    document += ["query", *names[n - 1], "ans"]
    for v in _plain_order(parents, n - 1, rng):
        document += names[v]
    return [*document, "eos"]


def _plain_order(parents: dict[int, list[int]], query: int, rng: random.Random) -> list[int]:
    """The ancestors of a vertex and itself, parents first."""
    left, waiting = {query}, [query]
    while waiting:
        for u in parents[waiting.pop()]:
            if u not in left:
                left.add(u)
                waiting.append(u)
    n_children = dict.fromkeys(left, 0)
    for v in left:
        for u in parents[v]:
            n_children[u] += 1
    free, order = [query], []
    while free:
        v = free.pop(rng.randrange(len(free)))
        order.append(v)
        for u in parents[v]:
            n_children[u] -= 1
            if not n_children[u]:
                free.append(u)
    return order[::-1]


def plain_mano(task: Mano, rng: random.Random) -> Document:
    """One document of Mano."""
    n = rng.randint(1, task.n_max)
    expression: Document = []
    value = _plain_expression(task, n, rng, expression)
    kinds = rng.choices("ab", k=3)
    return [f"bos_{kinds[0]}", f"len_{n}{kinds[1]}", *expression, f"ans_{n}{kinds[2]}", value]


def _plain_expression(task: Mano, n: int, rng: random.Random, out: Document) -> int:
    """Append an expression, and return its value."""
    if n == 0:
        out.append(value := rng.randrange(task.modulus))
        return value
    operator = rng.randrange(3)
    out.append(("+-*"[operator], rng.randrange(2)))
    n_left = rng.randrange(n)
    left = _plain_expression(task, n_left, rng, out)
    right = _plain_expression(task, n - 1 - n_left, rng, out)
    return (left + right, left - right, left * right)[operator] % task.modulus


def plain_copy(task: Copy, rng: random.Random) -> Document:
    """One document of copying."""
    symbols = [rng.randrange(task.n_symbols) for _ in range(task.n_copied)]
    return ["bos", *symbols, "copy", *symbols]
