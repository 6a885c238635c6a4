"""Mistakes in damaged solutions are found, with the errors of probes on them."""

import re

import numpy as np
import polars as pl
import pytest
import torch

from physlm.analysis.adapted_probe import AdaptedProbe, AdaptedProbeRecipe, StateNorm
from physlm.analysis.igsm.mistakes import mistake_metrics, mistakes_of, suspects
from physlm.analysis.igsm.probe_predictions import problem_sets
from physlm.analysis.igsm.probe_task import ProbeTask
from physlm.analysis.igsm.queries import Query
from physlm.analysis.igsm.solved_problem import SolvedProblem
from physlm.analysis.igsm.written import written
from physlm.data.tasks.igsm import IgsmConfig, check
from physlm.data.tasks.igsm.language import MARKS, WORDS, words_of
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig
from tests.analysis.igsm.planted import BINARY, Planted

TOKEN_OF = {word: token for token, word in enumerate((*WORDS, *MARKS))}


@pytest.fixture(scope="module")
def corpus():
    return IgsmConfig(op_max=6, ip_max=8, seq_len=384).build(0)


@pytest.fixture(scope="module")
def problems(corpus):
    return problem_sets(corpus.task, 0, longer_op=7, n_train=30, n_test=2).train


def resolved(solved, sentences):
    """The problem with other sentences of a solution."""
    tokens = [TOKEN_OF[word] for word in words_of(" ".join(sentences))]
    return SolvedProblem(np.concatenate((solved.up_to(0), np.array(tokens, dtype=np.int32))))


def sentences_of(solved):
    return re.findall(r"Define .+?\.", solved.problem.solution)


def definition(parameter):
    return f"Define {parameter.name} as q; so q = 3."


def test_right_solutions_have_no_suspects(problems):
    for own in problems:
        assert not [*suspects("unnecessary", own), *suspects("too_early", own)]


def test_a_parameter_that_is_not_needed_is_unnecessary(problems):
    n = 0
    for own in problems:
        others = [a for a in own.problem.values if a not in own.problem.necessary]
        for a in others[:2]:
            wrong = resolved(own, [*sentences_of(own)[:1], definition(a)])
            found = list(suspects("unnecessary", wrong))
            assert {x.query.parameter for x in found} == set(others)
            assert [x.query for x in found if x.is_written] == [Query(0, a)]
            verdict = check(own.problem, wrong.problem.solution)
            assert verdict.unnecessary == (a,)
            n += 1
    assert n > 20


def test_the_first_parameter_before_its_parents_is_too_early(problems):
    n = 0
    for own in problems:
        sentences = sentences_of(own)
        for i in range(len(sentences) - 1):
            late = own.defined[i]
            users = [p for p in own.defined[i + 1 :] if late in own.problem.dependencies[p]]
            if not users:
                continue
            j = own.defined.index(users[0])
            moved = [*sentences[:i], *sentences[i + 1 : j + 1], sentences[i], *sentences[j + 1 :]]
            found = list(suspects("too_early", resolved(own, moved)))
            assert [x.query for x in found if x.is_written] == [Query(j - 1, users[0])]
            before = {*own.defined[:i], *own.defined[i + 1 : j]}
            for other in (x.query.parameter for x in found if not x.is_written):
                assert other not in before
                assert not set(own.problem.dependencies[other]) <= before
            n += 1
    assert n > 20


def test_what_follows_an_unreadable_sentence_is_not_judged(problems):
    own = max(problems, key=lambda solved: solved.n_sentences)
    last = sentences_of(own)[-1]
    assert list(suspects("too_early", resolved(own, [last])))
    assert not list(suspects("too_early", resolved(own, ["Define = 3.", last])))
    back = f"Define {own.problem.query.name} as [back]."
    assert list(suspects("too_early", resolved(own, [back, last])))


def test_steps_pass_over_what_is_taken_back_and_end_at_what_defines_nothing(problems):
    own = max(problems, key=lambda solved: solved.n_sentences)
    first, *_, last = sentences_of(own)
    back = f"Define {own.problem.query.name} as [back]."
    solved = resolved(own, [back, first, "Define = 3.", last])
    assert list(solved.steps()) == [(1, own.defined[0])]
    assert list(resolved(own, [first, back, last]).steps(1)) == [(2, own.problem.query)]


def probe_of(model, task):
    """The head that reads what is planted."""
    recipe = AdaptedProbeRecipe(embedding_rank=0, norm=StateNorm.none, n_steps=1, batch_size=8)
    probe = AdaptedProbe(model, 2, recipe, 0).eval()
    with torch.no_grad():
        for k in range(2):
            probe.classifier.weight[k, 2 * BINARY.index(task.value) + k] = 1
    return probe


def test_a_probe_that_is_wrong_where_solutions_are_predicts_their_mistakes(corpus, problems):
    """The planted answers are those of a model that takes what it writes to be needed."""
    believed = {}
    solutions = []
    for own in problems:
        others = [a for a in own.problem.values if a not in own.problem.necessary]
        sentences = sentences_of(own)
        if len(others) > 1:
            believed[own.problem.text] = others[0].name
            sentences = [definition(others[0]), *sentences]
        solutions.append(resolved(own, sentences))

    def answer(reading, task):
        text = reading.before.split("<problem>")[1].split(" How many")[0].strip()
        wrong = task == "nece" and believed.get(text) == reading.names[0]
        return 1 if wrong else reading.label(task)

    probes = {task: probe_of(Planted(corpus, answer=answer), task) for task in (ProbeTask.nece,)}
    table = mistakes_of(probes, {"trained": solutions}, 16)
    assert table["mistake"].unique().to_list() == ["unnecessary"]
    assert table.filter("is_written")["problem"].n_unique() == len(believed) > 20
    metrics = by_text(mistake_metrics(table, [ProbeTask.nece], len(solutions)))
    error = "igsm_probe/probe_error{{mistake=unnecessary,parameters={}}}"
    assert metrics[error.format("written")].value == 1
    assert metrics[error.format("other")].value == 0
    assert metrics["igsm_probe/probe_error_difference{mistake=unnecessary}"].value == 1
    rate = metrics["igsm_probe/mistakes{mistake=unnecessary}"]
    assert rate.value == pytest.approx(len(believed) / len(solutions))
    honest = mistakes_of(
        {ProbeTask.nece: probe_of(Planted(corpus), ProbeTask.nece)}, {"trained": solutions}, 16
    )
    assert not honest["probe_is_wrong"].any()


def test_few_mistakes_are_counted_but_not_compared(capsys):
    rows = {"mistake": ["too_early"] * 5, "set": ["trained"] * 5, "problem": range(5)}
    table = pl.DataFrame(rows).with_columns(is_written=True, probe_is_wrong=True)
    tasks = [ProbeTask.nece, ProbeTask.can_next]
    metrics = by_text(mistake_metrics(table, tasks, 50))
    assert {text: m.value for text, m in metrics.items()} == {
        "igsm_probe/mistakes{mistake=unnecessary}": 0,
        "igsm_probe/mistakes{mistake=too_early}": 0.1,
    }
    lines = capsys.readouterr().err.splitlines()
    assert "{mistake=unnecessary} is left out: 0 mistakes in 50 solutions" in lines[0]
    assert "{mistake=too_early} is left out: 5 mistakes in 50 solutions" in lines[1]


def test_solutions_are_written_greedily_after_the_problem(corpus):
    model = DecoderConfig(d_model=16, n_layers=1, n_heads=2).build(corpus.vocabulary.size, 384, 0)
    problems = problem_sets(corpus.task, 1, longer_op=7, n_train=2, n_test=2).train
    for own, solved in zip(written(model.eval(), problems), problems, strict=True):
        n = len(solved.up_to(0))
        assert (own.tokens[:n] == solved.up_to(0)).all()
        with torch.no_grad():
            best = model(torch.from_numpy(own.tokens[None]).long())[0].argmax(dim=-1)
        assert own.tokens[n:].tolist() == best[n - 1 : -1].tolist()
