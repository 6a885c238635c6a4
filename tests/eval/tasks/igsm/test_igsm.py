"""Solutions of iGSM: planted right ones, every kind of damage, and those of other problems."""

from dataclasses import replace

import numpy as np
import pytest

from physlm.data.tasks.igsm import IgsmConfig
from physlm.data.tasks.igsm.language import ANSWER
from physlm.data.tasks.igsm.solution_reading import read_solution
from physlm.data.tasks.mano import ManoConfig
from physlm.errors import InputError
from physlm.eval.tasks.igsm.igsm import IgsmScorerConfig
from physlm.eval.tasks.igsm.problem_sets import of_operations, problem_sets, training_like
from physlm.measurement import Measurement, by_text
from physlm.models.architecture import DecoderConfig, EncoderConfig
from physlm.models.components import PositionEncoding
from tests.eval.tasks.igsm.planted import (
    SMALL,
    Solver,
    answers,
    measured,
    own_solutions,
    sentences,
    solved,
    values_of,
    whole,
)

ASPECTS = ("format", "order", "calculation", "necessity")
LONGEST = "{op=3,set=longest}"


def only_longest(change, **values):
    """Metrics of the problems of 3 operations, whose solutions have been changed."""
    found = measured(solved(change), ops=[], **values)
    return values_of(found), found.tables["igsm_solutions"]


@pytest.mark.parametrize("n_beams", [1, 4])
def test_right_solutions_are_right_in_everything(n_beams):
    corpus = SMALL.build(0)
    sets = list(problem_sets(corpus, 10, [4], has_reask=True))
    solve = own_solutions(corpus, sets)
    found = measured(solve, answers, n_problems=10, n_beams=n_beams, given=[0, 1])
    right = {"accuracy", "answer_accuracy", "token_accuracy", *ASPECTS}
    metrics = found.metrics
    assert {m.value for m in metrics if m.name.removeprefix("igsm/") in right} == {1.0}
    wrong = {"igsm/unfinished", "igsm/unnecessary", "igsm/back", "igsm/dropped"}
    assert {m.value for m in metrics if m.name in wrong} == {0.0}
    assert not [m for m in metrics if m.name == "igsm/first_fault"]
    sets_found = {m.dims["set"] for m in metrics if m.name == "igsm/accuracy"}
    assert sets_found == {"trained", "known_templates", "longest", "longer", "reask"}
    given = [m for m in metrics if "given" in m.dims]
    assert {m.dims["given"] for m in given} == {0, 1}
    assert found.tables["igsm_solutions"]["is_right"].all()
    assert found.tables["igsm_solutions"]["first_fault"].is_null().all()


def test_problems_as_trained_are_measured_in_all_and_by_operations():
    metrics = by_text(measured(solved(), n_problems=60, ops=[]).metrics)
    total = metrics["igsm/accuracy{set=trained}"]
    parts = [metrics[f"igsm/accuracy{{op={op},set=trained}}"] for op in (1, 2, 3)]
    assert total.n == sum(part.n for part in parts) == 60
    assert parts[0].n > parts[1].n > parts[2].n > 0  # 5, 3 and 1 ninths


DAMAGE = {
    "format": lambda p, lines: whole(p, [lines[0].replace("; so ", "; so so "), *lines[1:]]),
    "order": lambda p, lines: whole(p, [*lines[:1], *lines]),
    "calculation": lambda p, lines: whole(p, [*lines[:-1], off_by_one(lines[-1])]),
    "necessity": lambda p, lines: whole(p, lines[:-1]),
    "answer": lambda p, lines: whole(p, lines)[: -len(str(p.answer))] + str((p.answer + 1) % 23),
}
FIRST = {
    "format": "unreadable_sentence",
    "order": "repeated_parameter",
    "calculation": "wrong_result",
    "necessity": "question_not_last",
    "answer": "wrong_answer",
}


def off_by_one(sentence):
    head, result = sentence.removesuffix(".").rsplit(" = ", 1)
    return f"{head} = {(int(result) + 1) % 23}."


@pytest.mark.parametrize("aspect", DAMAGE)
def test_each_damage_is_found_in_its_aspect(aspect):
    found, table = only_longest(DAMAGE[aspect])
    assert found[f"igsm/accuracy{LONGEST}"] == 0
    assert found[f"igsm/answer_accuracy{LONGEST}"] == (aspect != "answer")
    for other in ASPECTS:  # nothing in what cannot be read is right
        is_right = aspect not in {other, "format"}
        assert found[f"igsm/{other}{LONGEST}"] == is_right, other
    faults = {
        k: v for k, v in found.items() if k.startswith("igsm/first_fault{") and "longest" in k
    }
    assert sum(faults.values()) == pytest.approx(1)
    longest = table.filter(table["set"] == "longest")
    if aspect != "calculation":
        assert faults[f"igsm/first_fault{{fault={FIRST[aspect]},op=3,set=longest}}"] == 1
        assert set(longest["first_fault"]) == {FIRST[aspect]}
    else:  # a single parent has a number and no arithmetic, a constant only a value
        kinds = {"wrong_result", "wrong_number", "wrong_value"}
        assert set(longest["first_fault"]) <= kinds


def test_the_table_shows_the_sentence_of_the_first_fault():
    _, table = only_longest(DAMAGE["calculation"])
    row = table.filter(table["set"] == "longest").row(0, named=True)
    lines = row["written_solution"].split(". ")
    assert row["fault_sentence"] == len(lines) - 2
    assert row["fault_text"] == lines[-2]
    assert row["problem"].startswith("The number of each")
    assert row["question"].startswith("How many")
    assert row["true_solution"].endswith(f"<answer> {row['true_answer']}")
    _, table = only_longest(DAMAGE["answer"])
    row = table.row(0, named=True)
    assert row["fault_text"] == f"<answer> {row['written_answer']}"


def test_solutions_of_other_problems_are_wrong_and_their_answers_chance():
    corpus = SMALL.build(0)
    sets = list(problem_sets(corpus, 100, [], has_reask=False))
    asked = sets[2].questions
    others = {
        tuple(q.prompt.tolist()): other.solution.tolist()
        for q, other in zip(asked, [*asked[1:], asked[0]], strict=True)
    }
    found = values_of(measured(lambda p: others.get(p, []), n_problems=100, ops=[]))
    numbers = np.array([q.problem.answer for q in asked])
    same = (numbers == np.roll(numbers, 1)).mean()
    assert found[f"igsm/accuracy{LONGEST}"] == 0
    assert found[f"igsm/format{LONGEST}"] < 0.05  # the problem has no such names
    assert found[f"igsm/answer_accuracy{LONGEST}"] == pytest.approx(same)
    shares = np.bincount(numbers) / len(numbers)
    assert same == pytest.approx((shares**2).sum(), abs=0.1)
    assert found[f"igsm/chance{LONGEST}"] == shares.max() == shares[0]


def test_parameters_taken_back_are_counted_and_leave_a_solution_right():
    def with_back(problem, lines):
        back = f"Define {problem.query.name} as [back]."
        text = whole(problem, [back, back, *lines])
        return text if problem.answer % 2 else text + " ."

    found, _ = only_longest(with_back)
    assert 0 < found[f"igsm/accuracy{LONGEST}"] < 1
    assert found["igsm/back{op=3,set=longest,solution=right}"] == 2
    assert found["igsm/back{op=3,set=longest,solution=wrong}"] == 2
    assert found[f"igsm/unnecessary{LONGEST}"] == 0


def test_unnecessary_parameters_are_counted():
    def everything(problem, _):
        """All parameters but those that depend on the question, which comes last."""
        later = {problem.query}
        for _ in problem.dependencies:
            later |= {p for p, own in problem.dependencies.items() if later & set(own)}
        kept = [p for p in problem.values if p not in later]
        return whole(problem, sentences(problem, [*kept, problem.query]))

    found = measured(solved(everything), ops=[], max_length_ratio=30)
    own = found.tables["igsm_solutions"].filter(set="longest")
    assert own["is_right"].all()
    written = [len(read_solution(text).sentences) for text in own["written_solution"]]
    needed = [len(read_solution(text).sentences) for text in own["true_solution"]]
    assert values_of(found)[f"igsm/unnecessary{LONGEST}"] == pytest.approx(
        np.mean(written) - np.mean(needed)
    )
    assert np.mean(written) > np.mean(needed)


def test_what_does_not_end_in_time_is_unfinished():
    found, table = only_longest(lambda p, lines: whole(p, lines * 9))
    assert found[f"igsm/unfinished{LONGEST}"] == 1
    assert found[f"igsm/accuracy{LONGEST}"] == found[f"igsm/answer_accuracy{LONGEST}"] == 0
    assert not table["is_ended"].any()
    found = values_of(measured(solved(), ops=[], max_length_ratio=1.0))
    assert found[f"igsm/unfinished{LONGEST}"] == 0  # the longest solution just fits


def test_a_model_that_knows_no_answer_before_its_steps_is_seen_to_be_so():
    found = values_of(measured(solved(), lambda prompt: (answers(prompt) + 1) % 23, ops=[]))
    assert found["igsm/answer_accuracy{given=0,set=trained}"] == 0
    found = values_of(measured(lambda _: [], answers, ops=[]))
    assert found["igsm/answer_accuracy{given=0,op=3,set=longest}"] == 1
    assert found[f"igsm/answer_accuracy{LONGEST}"] == 0


def test_given_sentences_are_in_the_prompt_and_never_the_whole_solution():
    corpus, seen = SMALL.build(0), []
    asked = training_like(corpus, 30)

    class Watching(Solver):
        def prefill(self, prompts, lengths, n_positions):
            seen.extend(tuple(row[:n].tolist()) for row, n in zip(prompts, lengths, strict=True))
            return super().prefill(prompts, lengths, n_positions)

    scorer = IgsmScorerConfig(n_problems=30, ops=[], given=[1])
    model = Watching(corpus.vocabulary, solved(), answers)
    found = by_text(scorer.measure(model, corpus).metrics)
    several = [q for q in asked.questions if len(q.problem.necessary) > 1]
    assert found["igsm/answer_accuracy{given=1,set=trained}"].n == len(several) < 30
    for question in several:
        first = question.problem.solution.split(". ")[0]
        prompt = f"{corpus.vocabulary.decode(question.prompt)} {first}. <answer>"
        shown = [corpus.vocabulary.decode(np.array(row)) for row in seen]
        assert prompt.replace(" ", "") in {text.replace(" ", "") for text in shown}


HIDDEN = [{"n_shown_sentences": 0}, {"n_shown_sentences": 1}, {"n_hidden_sentences": 1}]


@pytest.mark.parametrize("values", HIDDEN)
def test_worlds_that_withhold_sentences_are_measured_by_answers_alone(values):
    config = replace(SMALL, **values)
    corpus = config.build(0)
    sets = [of_operations(corpus, 20, op, "shorter") for op in (1, 2, 3)]
    known = training_like(corpus, 20, has_known_templates=True)
    own = own_solutions(corpus, [known, *sets])
    found = by_text(measured(own, answers, config=config, n_problems=20).metrics)
    assert {m.name.removeprefix("igsm/") for m in found.values()} == {
        *("answer_accuracy", "chance", "dropped", "token_accuracy", "loss_nats")
    }
    for asked, op in zip(sets, (1, 2, 3), strict=True):
        dims = f"op={op},set={'longest' if op == 3 else 'shorter'}"
        accuracy, common = (
            found[f"igsm/{name}{{{dims}}}"] for name in ("answer_accuracy", "chance")
        )
        numbers = np.array([q.problem.answer for q in asked.questions])
        assert (accuracy.value, accuracy.n) == (1, 20)
        assert common.value == (numbers == 0).mean()
        assert found[f"igsm/answer_accuracy{{given=0,{dims}}}"].value == 1
        assert found[f"igsm/token_accuracy{{{dims}}}"].value == 1
    right = found["igsm/answer_accuracy{set=known_templates}"]
    assert (right.value, right.n) == (1, 20)
    by_operation = [found[f"igsm/answer_accuracy{{op={op},set=known_templates}}"] for op in (1, 2)]
    assert all(one.value == 1 and one.n < 20 for one in by_operation)
    by_chance = [found[f"igsm/chance{{op={op},set=known_templates}}"] for op in (1, 2)]
    assert [one.n for one in by_chance] == [one.n for one in by_operation]
    shows_steps = values.get("n_shown_sentences") != 0
    assert ("igsm/token_accuracy{op=3,role=result,set=longest}" in found) == shows_steps


def test_answers_that_are_wrong_or_do_not_end_are_wrong_where_steps_are_withheld():
    config = replace(SMALL, n_shown_sentences=0)

    def accuracy(solve):
        found = values_of(measured(solve, config=config, n_problems=20))
        return found["igsm/answer_accuracy{op=2,set=shorter}"]

    assert accuracy(lambda p: [ANSWER, answers(p)]) == 1
    assert accuracy(lambda p: [ANSWER, (answers(p) + 1) % 23]) == 0
    assert accuracy(lambda p: [ANSWER, answers(p)] * 9) == 0
    assert accuracy(lambda p: [answers(p)]) == 0


def test_curves_where_steps_are_withheld_are_of_answers():
    corpus = replace(SMALL, n_shown_sentences=0).build(0)
    model = Solver(corpus.vocabulary, lambda p: [ANSWER, answers(p)])
    found = values_of(
        Measurement(tuple(IgsmScorerConfig(n_curve_problems=20).curve(model, corpus)))
    )
    for name in ("trained", "known_templates"):
        assert found[f"igsm/answer_accuracy{{set={name}}}"] == 1
        assert found[f"igsm/answer_accuracy{{op=1,set={name}}}"] == 1
    assert "igsm/accuracy{set=trained}" not in found


def test_an_untrained_model_solves_nothing():
    corpus = SMALL.build(0)
    model = DecoderConfig(d_model=16, n_layers=1).build(corpus.vocabulary.size, 192, 0)
    scorer = IgsmScorerConfig(n_problems=6, max_length_ratio=1.0)
    found = values_of(scorer.measure(model, corpus))
    for name, value in found.items():
        if name.startswith(("igsm/accuracy", *(f"igsm/{aspect}" for aspect in ASPECTS))):
            assert value == 0, name
    loss = found["igsm/loss_nats{set=trained}"]
    assert loss == pytest.approx(np.log(corpus.vocabulary.size), rel=0.1)


def test_a_curve_has_accuracies_and_token_accuracies_of_fewer_problems():
    corpus = SMALL.build(0)
    curve = IgsmScorerConfig(n_curve_problems=15).curve(
        Solver(corpus.vocabulary, solved(), answers), corpus
    )
    found = by_text(curve)
    for name in ("trained", "known_templates"):
        assert found[f"igsm/accuracy{{set={name}}}"].value == 1
        assert found[f"igsm/accuracy{{set={name}}}"].n == 15
        assert found[f"igsm/token_accuracy{{role=result,set={name}}}"].value == 1
    assert len(found) == 16


def test_figures_are_drawn_of_right_and_of_wrong_solutions():
    scorer = IgsmScorerConfig()
    for change, n_panels in ((None, 1), (DAMAGE["order"], 2)):
        measurement = measured(solved(change), n_problems=4)
        figure = scorer.figures(measurement)["igsm"]
        assert len(figure.axes) == n_panels
        accuracies = dict(zip(*figure.axes[0].get_legend_handles_labels()[::-1], strict=True))
        (line,) = accuracies["whole solution"].lines[:1]
        found = values_of(measurement)
        assert line.get_xdata().tolist()[-2:] == [3, 4]
        assert line.get_ydata().tolist()[-1] == found["igsm/accuracy{op=4,set=longer}"]


def test_a_figure_of_answers_alone_has_them_and_their_chance():
    config = replace(SMALL, n_shown_sentences=0)
    measurement = measured(lambda p: [ANSWER, answers(p)], config=config, n_problems=4)
    figure = IgsmScorerConfig().figures(measurement)["igsm"]
    _, labels = figure.axes[0].get_legend_handles_labels()
    assert set(labels) == {"answer", "most common answer", "answer, sentences given: 0"}


def test_what_cannot_be_measured_is_refused_before_training():
    scorer, corpus = IgsmScorerConfig(n_problems=10), SMALL.build(0)
    size = corpus.vocabulary.size
    model = DecoderConfig(d_model=16).build(size, 192, 0)
    scorer.check(model, corpus)
    with pytest.raises(InputError, match="measures solutions of iGSM only; use data=igsm"):
        scorer.check(model, ManoConfig(n_max=2, seq_len=40).build(0))
    with pytest.raises(InputError, match="writes no solutions"):
        scorer.check(EncoderConfig(d_model=16).build(size, 192, 0), corpus)
    learned = DecoderConfig(d_model=16, position=PositionEncoding.learned).build(size, 192, 0)
    with pytest.raises(InputError, match=r"raise it or use model\.position=rope"):
        scorer.check(learned, corpus)
    with pytest.raises(InputError, match=r"ops=\[3\]; must be above data\.op_max=3, at most 52"):
        IgsmScorerConfig(ops=[3]).check(model, corpus)
    narrow = IgsmConfig(op_max=1, ip_max=2, seq_len=192).build(0)
    with pytest.raises(InputError, match="no problem of 12 operations with ip_max=2 was found"):
        IgsmScorerConfig(ops=[12], n_problems=5).check(model, narrow)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_problems": 0}, "n_problems=0; must be at least 1"),
        ({"n_beams": 0}, "n_beams=0; must be at least 1"),
        ({"max_length_ratio": 0.5}, "max_length_ratio=0.5; must be at least 1"),
        ({"ops": [5, 5]}, r"ops=\[5, 5\]; name each number once"),
        ({"given": [-1]}, r"given=\[-1\]; must be numbers of sentences, at least 0"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        IgsmScorerConfig(**values)
