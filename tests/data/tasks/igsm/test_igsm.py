"""Problems against their own arithmetic, and documents as functions of their numbers."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physlm.data.packing import pack
from physlm.data.tasks.igsm import WORLD, Igsm, IgsmConfig, Parameter, check, read_problem
from physlm.data.tasks.igsm.language import BOS, LETTERS, text_of, words_of, words_of_tokens
from physlm.data.tasks.igsm.template import bin_of, template
from tests.data.tasks.documents import ids, judged
from tests.data.tasks.igsm.example import SOLUTION

OPTIONS = {
    "med": {},
    "qp of 15": {"layout": "qp", "op": 15},
    "hard": {"op_max": 21, "ip_max": 28},
    "smallest": {"op_max": 3, "ip_max": 2},
    "release and paper": {
        "size_law": "redrawn",
        "parent_preference": "wanted",
        "has_products_first": True,
    },
    "retry": {"retry_rate": 0.5},
    "retry_weak": {"retry_rate": 0.7, "retry_kind": "retry_weak"},
    "retry_miss": {"retry_rate": 0.3, "retry_kind": "retry_miss", "has_masked_retries": True},
    "longest": {"op": 32, "ip_max": 28},
    "test": {"test": 1, "op": 4},
    "ordered letters": {"has_ordered_letters": True, "has_products_first": True},
}


@cache
def drawn(name, n=50, seed=0):
    values = dict(OPTIONS[name])
    difficulty = {key: values.pop(key) for key in ("op", "test") if key in values}
    return Igsm(**values).sample(np.random.default_rng(seed), n, **difficulty)


def clean(problem):
    """The sentences of a solution that are not taken back, as words."""
    text = problem.solution.split(" <answer>")[0]
    return [words_of(own + ".") for own in text[:-1].split(". ") if not own.endswith("[back]")]


@pytest.mark.parametrize("name", OPTIONS)
def test_every_solution_passes_the_checker_and_is_shortest(name):
    for problem in drawn(name):
        verdict = check(problem, problem.solution)
        assert verdict.is_right, verdict.faults
        assert not verdict.unnecessary
        assert len(clean(problem)) == len(problem.necessary)
        assert problem.solution.endswith(f" <answer> {problem.answer}")


def brute_force(problem, parameter):
    """The value of a parameter, by counting what the items hold, from the sentences alone."""
    if parameter in problem.rules:
        rule = problem.rules[parameter]
        values = [brute_force(problem, parent) for parent in rule.parents]
        base = values[0] - values[1] if rule.is_difference else sum(values)
        if rule.constant is None:
            return base % 23
        return (base * rule.constant if rule.is_product else base + rule.constant) % 23
    total = 0
    for owner, owned, _ in problem.rules:
        if owner == parameter.owner:
            further = (
                brute_force(problem, Parameter(owned, parameter.owned, parameter.level - 1))
                if parameter.level > 1
                else 1
            )
            total += brute_force(problem, Parameter(owner, owned)) * further
    return total % 23


@pytest.mark.parametrize("name", ["med", "hard", "smallest"])
def test_numbers_of_solutions_are_those_of_the_dependency_graph(name):
    for problem in drawn(name):
        named = {parameter.name: parameter for parameter in problem.dependencies}
        for words in clean(problem):
            parameter = named[text_of(words[1 : words.index("as")])]
            assert int(words[-2]) == brute_force(problem, parameter) == problem.values[parameter]


@pytest.mark.parametrize("name", OPTIONS)
def test_documents_have_the_stated_form(name):
    problems, options = drawn(name), OPTIONS[name]
    for number, problem in enumerate(problems):
        first, last = problems.starts[number : number + 2]
        tokens = problems.tokens[first:last].tolist()
        assert tokens[0] == BOS
        assert tokens.count(BOS) == 1
        question_first = options.get("layout") == "qp"
        parts = [problem.text, problem.question]
        parts = parts[::-1] if question_first else parts
        text = " ".join(["<problem>", *parts, "<solution>", problem.solution])
        assert words_of_tokens(tokens[1:]) == words_of(text)
        n_operations = sum(words.count(";") for words in clean(problem))
        assert n_operations == options.get("op", n_operations) <= 32
        assert len(problem.rules) <= options.get("ip_max", 20)
        assert all(
            len(rule.parents) + (rule.constant is not None) <= 4 for rule in problem.rules.values()
        )
        letters = [w for words in clean(problem) for w in words if len(w) == 1 and w.isalpha()]
        assert len(set(letters)) == n_operations
        if options.get("has_ordered_letters"):
            assert set(letters) == set(LETTERS[:n_operations])
            defined = [words[words.index("=") - 1] for words in clean(problem)]
            assert defined == sorted(defined, key=LETTERS.index)


def test_items_are_distinct_and_of_one_subcategory_a_layer():
    for problem in drawn("hard"):
        hierarchies = {WORLD.items[item].hierarchy for item in problem.structure}
        assert len(hierarchies) == 1
        layers = sorted({WORLD.items[item].layer for item in problem.structure})
        assert layers == list(range(layers[0], layers[-1] + 1))
        assert 2 <= len(layers) <= 4
        for layer in layers:
            own = {item for item in problem.structure if WORLD.items[item].layer == layer}
            (category,) = {
                subcategory
                for subcategory in WORLD.hierarchies[hierarchies.copy().pop()][layer].subcategories
                if own <= set(subcategory)
            } or {None}
            assert category is not None


def test_the_world_has_the_stated_structure():
    names = [category.name for own in WORLD.hierarchies for category in own]
    items = [
        item
        for own in WORLD.hierarchies
        for category in own
        for subcategory in category.subcategories
        for item in subcategory
    ]
    assert len(names) == len(set(names)) == 16
    assert len(items) == len(set(items)) == 1600
    assert {
        len(subcategory)
        for own in WORLD.hierarchies
        for c in own
        for subcategory in c.subcategories
    } == {20}
    words = {word for item in items for word in item.split()}
    assert not words & set(names)
    assert all(word.isalpha() and word.istitle() for word in words | set(names))
    assert {len(item.split()) for item in items} == {2}


def test_a_document_is_a_function_of_key_and_number_alone():
    task = Igsm()
    whole = task.numbered(7, 0, 60, {})
    parts = [task.numbered(7, a, a + 20, {}) for a in (0, 20, 40)]
    assert np.array_equal(whole.tokens, np.concatenate([part.tokens for part in parts]))
    assert not np.array_equal(whole.tokens, task.numbered(8, 0, 60, {}).tokens)
    assert len({problem.text for problem in whole}) == 60


def test_training_and_test_templates_differ():
    for name, bins in (("med", range(17)), ("test", range(17, 23)), ("retry", range(17))):
        found = {bin_of([w for words in clean(problem) for w in words]) for problem in drawn(name)}
        assert found <= set(bins)
        assert len(found) > 3


def test_the_template_of_the_example():
    words = words_of("Define Ash Crate's Tin Nail as k; so k = 9. Define Bog Trap's Tool as d; r = "
                     "k - k = 9 - 9 = 0; so d = 6 + r = 6 + 0 = 6.")  # fmt: skip
    assert text_of(template(words)) == (
        "Define instance as a; so a = 0. Define abstract as b; c = a - a = 0 - 0 = 0; "
        "so b = 0 + c = 0 + 0 = 0."
    )
    # A hash that changes would move test problems into training.
    assert bin_of(words) == 17
    assert bin_of(words_of(SOLUTION)) == 13


@pytest.mark.parametrize("op", [1, 2, 3, 4])
def test_both_sets_have_problems_of_few_operations_and_the_same_answers(op):
    task = Igsm(op_max=4, ip_max=12)
    zeros = []
    for test in (0, 1):
        found = task.sample(np.random.default_rng(0), 1000, op=op, test=test)
        zeros.append((found.tokens[found.starts[1:] - 1] == 0).mean())
    # The only test template of one operation is a parameter of an item that holds nothing.
    assert zeros[1] == (1 if op == 1 else pytest.approx(zeros[0], abs=0.05))


def allowed_retries(problem, before, kind):
    """The names that may be taken back after some sentences, by the definition of each kind."""
    order = [text_of(words[1 : words.index("as")]) for words in clean(problem)]
    done = set(order[:before])
    if kind == "retry_weak":
        return set(order[before + 1 :])
    every = {p.name: {q.name for q in parents} for p, parents in problem.dependencies.items()}
    if kind == "retry_miss":
        return every.keys() - done
    return {name for name, parents in every.items() if name not in done and not parents <= done}


@pytest.mark.parametrize("name", ["retry", "retry_weak", "retry_miss"])
def test_what_is_taken_back_is_of_its_kind_and_none_twice(name):
    rate, n_first, n_places, n_wrong = OPTIONS[name]["retry_rate"], 0, 0, 0
    kind = OPTIONS[name].get("retry_kind", "retry")
    for problem in drawn(name):
        # Items that hold nothing and that no sentence names are known to the generator alone.
        before, here = 0, []
        for own in problem.solution.split(" <answer>")[0][:-1].split(". "):
            words = words_of(own)
            if words[-1] == "[back]":
                here.append(text_of(words[1:-2]))
                continue
            allowed = allowed_retries(problem, before, kind)
            assert len(set(here)) == len(here)
            known = {p.name for p in problem.dependencies}
            assert {name for name in here if name in known} <= allowed
            if allowed:
                n_places += 1
                n_first += bool(here)
            before, here, n_wrong = before + 1, [], n_wrong + len(here)
    assert n_wrong > 80
    assert abs(n_first / n_places - rate) < 4 * (rate * (1 - rate) / n_places) ** 0.5


def test_masked_names_of_retries_are_no_targets():
    problems = drawn("retry_miss")
    assert problems.is_target is not None
    assert drawn("retry").is_target is None
    for number in range(20):
        span = slice(*problems.starts[number : number + 2])
        words = words_of_tokens(problems.tokens[span].tolist())
        is_wrong = np.zeros(len(words), dtype=bool)
        for at, word in enumerate(words):
            if word == "[back]":
                begin = max(i for i in range(at) if words[i] == "Define")
                is_wrong[begin + 1 : at - 1] = True
        assert np.array_equal(problems.is_target[span], ~is_wrong)


def test_the_vocabulary_encodes_the_text_of_a_document():
    task, problems = Igsm(), drawn("med")
    vocabulary = task.vocabulary
    assert vocabulary.size == len(task.words) + len(task.marks) + 1
    assert vocabulary.eos == task.bos == BOS
    tokens = problems.tokens[problems.starts[0] + 2 : problems.starts[1]]
    end = tokens.tolist().index(task.mark("<solution>"))
    text = vocabulary.decode(tokens[:end])
    assert text == f" {problems[0].text} {problems[0].question}"
    assert np.array_equal(vocabulary.encode(text), tokens[:end])
    assert vocabulary.decode(tokens).endswith(f"<answer> {problems[0].answer}")
    # A model's output is checked as it is decoded, without spaces before marks.
    decoded = vocabulary.decode(tokens[end:])
    assert check(problems[0], decoded).is_right
    retried = drawn("retry")
    own = vocabulary.decode(retried.tokens[: retried.starts[1]])
    assert check(read_problem(own), own.split("<solution>")[1]).is_right


def test_answers_are_marked_and_checked():
    task, problems = Igsm(), drawn("med")
    is_answer = task.is_answer(problems.tokens)
    assert np.flatnonzero(is_answer).tolist() == (problems.starts[1:] - 1).tolist()
    for number in range(10):
        own = problems.tokens[problems.starts[number] : problems.starts[number + 1]]
        right = problems[number].answer
        assert task.check(own[:-1], ids(task, str(right)))
        assert not task.check(own[:-1], ids(task, str((right + 1) % 23)))
    with pytest.raises(ValueError, match="a prompt ends with <answer>"):
        task.check(own[:-2], ids(task, "0"))
    assert 0.1 < task.chance({"op": 5}) < 0.17


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_changed_prompts_are_judged_or_refused_in_one_line(data):
    task, problems = Igsm(), drawn("med")
    whole = problems.tokens[problems.starts[0] : problems.starts[1] - 1].tolist()
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    tokens = st.one_of(st.integers(-1, task.bos + 1), st.sampled_from(whole))
    inside = data.draw(st.lists(tokens, max_size=3))
    prompt = np.array([*whole[:first], *inside, *whole[last:]], dtype=np.int64)
    found, refusal = judged(task, prompt, [0])
    assert isinstance(found, bool) if refusal is None else type(refusal) is ValueError
    assert refusal is None or "\n" not in str(refusal)


def test_documents_fill_left_aligned_windows_and_none_is_cut_at_its_start():
    world = IgsmConfig(n_documents=200, op_max=4, ip_max=12, seq_len=384).build(0)
    documents = world.epoch(0, 0, 200)
    assert np.diff(documents.starts).max() <= 384
    for block in pack(world, 384, packing=world.config.packing):
        assert (block.tokens[:, 0] == BOS).all()
        assert block.tokens.shape[1] == 385
    (evaluation,) = world.task.evaluations
    assert evaluation.difficulty == {"op": 4, "test": 1}
    for problem in world.measured(evaluation, 0, 20):
        assert sum(words.count(";") for words in clean(problem)) == 4
        assert bin_of([w for words in clean(problem) for w in words]) >= 17


BAD = {
    "op_max=0": {"op_max": 0},
    "op_max=53; must be at most 52": {"op_max": 53},
    "ip_max=1; must be at least 2": {"ip_max": 1},
    "n_train_bins=18; must be at most 17": {"n_train_bins": 18},
    "retry_rate=1": {"retry_rate": 1.0},
    "layout=pqr; one of pq, qp": {"layout": "pqr"},
    "retry_kind=never; one of retry, retry_weak, retry_miss": {"retry_kind": "never"},
    "no problem of 30 operations with ip_max=2": {"op_max": 30, "ip_max": 2},
    r"seq_len=150 loses 5\d\.\d% of the problems, which are longer; use \d+ or more": {
        "op_max": 4,
        "ip_max": 12,
        "seq_len": 150,
    },
    "max_lost_fraction=1.0": {"max_lost_fraction": 1.0},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_values_are_refused_in_one_line(message):
    with pytest.raises(ValueError, match=message) as caught:
        IgsmConfig(**BAD[message]).build(0)
    assert "\n" not in str(caught.value)


def test_operations_out_of_range_are_refused():
    with pytest.raises(ValueError, match="op=53; must be from 1 to 52"):
        Igsm().sample(np.random.default_rng(0), 1, op=53)


@pytest.mark.parametrize(
    ("shown", "hidden"), [(None, 0), (0, 0), (1, 0), (2, 1), (None, 1), (None, 2), (None, 99)]
)
def test_withheld_sentences_leave_the_rest_and_the_answer(shown, hidden):
    """The same problems as with whole solutions, each cut after the sentences that are shown."""
    task = Igsm(op_max=8, n_shown_sentences=shown, n_hidden_sentences=hidden)
    assert task.shows_all == ((shown, hidden) == (None, 0))
    whole = Igsm(op_max=8).sample(np.random.default_rng(0), 50)
    for cut, full in zip(task.sample(np.random.default_rng(0), 50), whole, strict=True):
        sentences = full.solution.split(" <answer>")[0].split(". ")
        kept = sentences[: max(min(len(sentences) - hidden, shown or (0 if shown == 0 else 99)), 0)]
        steps = "".join(f"{sentence.removesuffix('.')}. " for sentence in kept)
        assert cut.text == full.text
        assert cut.question == full.question
        assert cut.solution == f"{steps}<answer> {full.answer}"


@pytest.mark.parametrize("values", [{"n_shown_sentences": -1}, {"n_hidden_sentences": -1}])
def test_numbers_of_sentences_are_not_negative(values):
    (name,) = values
    with pytest.raises(ValueError, match=f"{name}=-1; must be at least 0"):
        Igsm(**values)


@pytest.mark.parametrize("layout", ["pq", "qp"])
@pytest.mark.parametrize("has_masked_retries", [False, True])
def test_masked_problems_leave_solutions_as_targets(layout, has_masked_retries):
    """The same documents, of which words up to the solution mark are no targets."""
    values = {"retry_rate": 0.5, "has_masked_retries": has_masked_retries, "layout": layout}
    whole = Igsm(**values).sample(np.random.default_rng(0), 50)
    masked = Igsm(**values, has_masked_problems=True).sample(np.random.default_rng(0), 50)
    assert np.array_equal(masked.tokens, whole.tokens)
    targets = whole.is_target if has_masked_retries else np.ones(len(whole.tokens), dtype=bool)
    for first, last in zip(masked.starts[:-1], masked.starts[1:], strict=True):
        words = words_of_tokens(masked.tokens[first:last].tolist())
        n_read = words.index("<solution>") + 1
        assert masked.is_target[first]
        assert not masked.is_target[first + 1 : first + n_read].any()
        own = slice(first + n_read, last)
        assert np.array_equal(masked.is_target[own], targets[own])
