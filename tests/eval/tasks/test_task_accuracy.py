"""Accuracy of synthetic tasks: planted answers, shuffled ones, and answers without the question."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from physlm.config.compose import composed
from physlm.data.tasks.brevo import BrevoConfig
from physlm.data.tasks.copy import CopyConfig
from physlm.data.tasks.depo import DepoConfig
from physlm.data.tasks.mano import ManoConfig
from physlm.errors import InputError
from physlm.eval.tasks.marked_answers import scored_answers
from physlm.eval.tasks.task_accuracy import TaskAccuracyConfig
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig, EncoderConfig
from physlm.models.components import PositionEncoding
from physlm.models.language_model import LanguageModel
from physlm.pipeline import execute
from physlm.preparation import prepare
from physlm.run_directory import RunDirectory
from tests.eval.oracle import Scripted

DEPO = DepoConfig(n_max=6, k_max=4, longest_name=1, n_symbols=6, seq_len=60)
DEPO_2 = DepoConfig(n_max=5, k_max=2, shortest_name=2, longest_name=3, n_symbols=3, seq_len=120)
MANO = ManoConfig(n_max=3, modulus=7, has_synonyms=False, seq_len=40)
COPY = CopyConfig(n_copied=4, n_symbols=5, seq_len=25)
BREVO = BrevoConfig(n_max=8, seq_len=128)


class Writer(Scripted):
    """A model that writes, and finds all tokens equally likely."""

    def forward(self, tokens, segments=None):
        return torch.zeros(*tokens.shape, self.vocabulary_size)


class Planted(LanguageModel):
    """Writes after each mark of a prompt the answer that a function makes of it."""

    def __init__(self, task, answer):
        super().__init__()
        self.task, self.answer = task, answer
        self.vocabulary_size = task.vocabulary.size
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, tokens, segments=None):
        scores = torch.zeros(*tokens.shape, self.vocabulary_size)
        marks = [self.task.mark(mark) for mark in self.task.answer_marks]
        for row, own in zip(scores, tokens.numpy(), strict=True):
            for at in np.flatnonzero(np.isin(own, marks)):
                for i, token in enumerate(self.answer(own[: at + 1])[: len(own) - at]):
                    row[at + i, token] = 1
        return scores


def solved(task):
    """The right answer to a prompt, by trying all that could be."""
    names = {}

    def answer(prompt):
        own = prompt[np.flatnonzero(prompt == task.bos)[-1] + 1 :]
        if isinstance(task, type(COPY.task)):
            return own[:-1].tolist()
        if isinstance(task, type(MANO.task)):
            candidates = [[value] for value in range(task.modulus)]
        else:
            candidates = [list(name) for name in names.setdefault(own.tobytes(), names_in(own))]
        return next(c for c in candidates if task.check(prompt, np.array(c)))

    def names_in(own):
        found, name = set(), []
        for token in own[own < len(task.words)].tolist():
            name.append(token)
            if token >= task.law.last:
                found.add(tuple(name))
                name = []
        return sorted(found)

    return answer


def measured(config, model, **values):
    corpus = config.build(0)
    scorer = TaskAccuracyConfig(**({"n_answers": 300, "batch_size": 7} | values))
    scorer.check(model(corpus), corpus)
    return by_text(scorer.measure(model(corpus), corpus).metrics)


def planted(corpus):
    return Planted(corpus.task, solved(corpus.task))


@pytest.mark.parametrize(
    "config", [DEPO, DEPO_2, MANO, COPY], ids=["depo", "depo2", "mano", "copy"]
)
def test_planted_answers_are_all_right(config):
    found = measured(config, planted, n_answers=60)
    accuracies = [m for m in found.values() if m.name.endswith("accuracy")]
    assert {m.value for m in accuracies} == {1.0}
    assert {m.stderr for m in accuracies} == {0.0}
    assert all(m.n >= 60 for m in accuracies)


def shuffled(corpus):
    """Answers of other documents, of the same length if there is one."""
    answer, kept = solved(corpus.task), []

    def other(prompt):
        kept.append(answer(prompt))
        return kept[len(kept) // 2]

    return Planted(corpus.task, other)


def test_shuffled_answers_are_right_by_chance():
    found = measured(DEPO, shuffled, n_answers=200)
    for k in (1, 2, 4):
        accuracy, chance = found[f"task/accuracy{{k={k}}}"], found[f"task/chance{{k={k}}}"]
        assert chance.value == pytest.approx(1 / 6)
        assert accuracy.value == pytest.approx(1 / 6, abs=4 * accuracy.stderr)
    assert found["task/depth"].value == 0
    found = measured(MANO, shuffled, n_answers=300)
    assert found["task/accuracy"].value == pytest.approx(1 / 7, abs=0.08)


def test_a_model_that_always_says_0_has_the_chance_of_mano():
    found = measured(MANO, lambda corpus: Planted(corpus.task, lambda _: [0]), n_answers=3000)
    accuracy = found["task/accuracy"]
    assert accuracy.value == pytest.approx(found["task/chance"].value, abs=4 * accuracy.stderr)
    assert accuracy.n == found["task/chance"].n


def test_a_model_of_training_expressions_alone_fails_on_those_that_are_held_out():
    config = replace(MANO, held_out_fraction=0.2)
    found = measured(config, planted, n_answers=60)
    assert [found[f"task/accuracy{{held_out={i}}}"].value for i in (0, 1)] == [1.0, 1.0]

    def of_trained(corpus):
        answer, documents = solved(corpus.task), corpus.epoch(0, 0, 100_000)
        texts = np.split(documents.tokens, documents.starts[1:-1])
        known = {text[1:-1].tobytes() for text in texts}

        def remembered(prompt):
            own = prompt[np.flatnonzero(prompt == corpus.task.bos)[-1] + 1 :]
            return answer(prompt) if own.astype(np.int32).tobytes() in known else [0]

        return Planted(corpus.task, remembered)

    small = replace(config, n_max=2, n_documents=100_000)
    found = measured(small, of_trained, n_answers=1000)
    accuracies = [found[f"task/accuracy{{held_out={i}}}"] for i in (0, 1)]
    chance = found["task/chance{held_out=1}"].value
    assert accuracies[0].value == 1
    assert accuracies[1].value == pytest.approx(chance, abs=4 * accuracies[1].stderr)
    assert "task/accuracy" not in found


def test_depth_is_the_largest_k_that_is_right_at_least_half_of_the_time():
    def up_to_2(corpus):
        answer, ans = solved(corpus.task), corpus.task.mark("<ans>")
        return Planted(corpus.task, lambda p: answer(p) if p[-3] - ans <= 2 else [0])

    found = measured(DEPO, up_to_2, n_answers=60)
    assert found["task/depth"].value == 2
    assert found["task/accuracy{k=2}"].value == 1
    assert found["task/accuracy{k=4}"].value < 0.5


def test_an_answer_with_one_wrong_token_is_wrong():
    def off_by_one(corpus):
        answer = solved(corpus.task)
        return Planted(corpus.task, lambda p: [*answer(p)[:-1], (answer(p)[-1] + 1) % 5])

    found = measured(COPY, off_by_one, n_answers=40)
    assert found["task/accuracy"].value == 0
    assert found["task/token_accuracy"].value == pytest.approx(3 / 4)


def test_standard_errors_are_over_documents():
    """Whole documents right or wrong: the error is that of their number, not of the answers'."""

    def by_document(corpus):
        answer = solved(corpus.task)
        return Planted(corpus.task, lambda p: answer(p) if is_chosen(corpus.task, p) else [99])

    def is_chosen(task, prompt):
        own = prompt[np.flatnonzero(prompt == task.bos)[-1] + 1 :]
        return own[0] % 2 == 0

    config = DepoConfig(n_max=6, k_max=1, longest_name=1, n_symbols=100, seq_len=36)
    found = measured(config, by_document, n_answers=600)["task/accuracy{k=1}"]
    n_documents = found.n / 6
    binomial = (found.value * (1 - found.value) / n_documents) ** 0.5
    assert found.stderr == pytest.approx(binomial, rel=0.05)


def test_documents_of_a_window_are_hidden_from_each_other_as_in_training():
    together = replace(DEPO, k_max=1, seq_len=120)
    apart = replace(together, attention_across_documents=False)
    corpora = {False: together.build(0), True: apart.build(0)}
    model = DecoderConfig(d_model=16, init_std=0.5).build(corpora[True].vocabulary.size, 120, 0)
    found = []
    for is_apart, corpus in corpora.items():
        windows = corpus.windows(corpus.task.evaluations[0], 60)
        is_right = scored_answers(model, corpus, windows, 7).is_right
        assert is_right.tolist() == slowly(model, corpus, windows, is_apart=is_apart)
        found.append(is_right)
    assert (found[0] != found[1]).any()


@torch.no_grad()
def slowly(model, corpus, windows, *, is_apart):
    """Whether each answer is right, one after another; documents alone in a window if apart."""
    right = []
    for row, first, last in zip(windows.rows, windows.firsts, windows.lasts, strict=True):
        own = torch.from_numpy(windows.tokens[row].copy()).long()
        begin = int((own[:first] == corpus.vocabulary.eos).nonzero()[-1]) if is_apart else 0
        written = model(own[None, begin:last])[0, first - begin - 1 : -1].argmax(-1)
        right.append(torch.equal(written, own[first:last]))
    return right


def brevo_model(config, write):
    """A model that writes what a function makes of a prompt and its question."""

    def model(corpus):
        task = corpus.task
        return Writer(
            task.vocabulary.size,
            lambda prompt: write(task, np.array(prompt), task.question(np.array(prompt))),
        )

    return measured(config, model, n_answers=80)


def topological(question):
    """The answer by repeated removal of a vertex without parents among the rest."""
    left, order = set(question.answer), []
    while left:
        free = sorted(v for v in left if not set(question.parents.get(v, ())) & left)
        order.append(free[-1])
        left.remove(free[-1])
    return [token for name in order for token in name]


def test_generated_orders_are_right_whichever_they_are():
    found = brevo_model(BREVO, lambda task, _, q: [*topological(q), task.end])
    assert found["task/accuracy"].value == found["task/first_vertex_accuracy"].value == 1
    assert found["task/unfinished"].value == found["task/chance"].value == 0
    parts = [m for m in found.values() if "depth" in m.dims]
    assert sum(m.n for m in parts) == found["task/accuracy"].n == 80
    assert {m.value for m in parts} == {1.0}


def test_answers_that_do_not_end_in_time_are_unfinished():
    found = brevo_model(BREVO, lambda _, __, q: topological(q) * 20)
    assert found["task/accuracy"].value == 0
    assert found["task/unfinished"].value == 1
    assert found["task/first_vertex_accuracy"].value == 1

    def late(task, _, question):
        return [*topological(question) * 2, *[0] * 3, task.end]

    found = brevo_model(BREVO, late)
    assert found["task/unfinished"].value == 1


def test_the_query_alone_is_wrong_and_so_is_an_answer_of_another_document():
    found = brevo_model(BREVO, lambda task, _, q: [*q.query, task.end])
    assert found["task/accuracy"].value == found["task/first_vertex_accuracy"].value == 0
    kept = []

    def other(task, _, question):
        kept.append(topological(question))
        return [*kept[len(kept) // 2], task.end] if len(kept) > 1 else [task.end]

    found = brevo_model(BREVO, other)
    assert found["task/accuracy"].value < 0.05


def test_a_curve_has_the_accuracies_of_fewer_answers():
    corpus = DEPO.build(0)
    scorer = TaskAccuracyConfig(n_curve_answers=30)
    curve = scorer.curve(planted(corpus), corpus)
    assert [m.text for m in curve] == [f"task/accuracy{{k={k}}}" for k in (1, 2, 4)]
    assert all(30 <= m.n < 60 for m in curve)


def test_what_cannot_be_measured_is_refused_before_training(biod):
    scorer, corpus = TaskAccuracyConfig(), BREVO.build(0)
    size = corpus.vocabulary.size
    model = DecoderConfig(d_model=16).build(size, 12, 0)
    with pytest.raises(InputError, match="measures synthetic tasks only"):
        scorer.check(model, biod)
    with pytest.raises(InputError, match="predicts no next token"):
        scorer.check(EncoderConfig(d_model=16).build(size, 12, 0), corpus)
    learned = DecoderConfig(d_model=16, position=PositionEncoding.learned).build(size, 50, 0)
    with pytest.raises(InputError, match=r"raise it or use model\.position=rope"):
        scorer.check(learned, corpus)
    scorer.check(model, corpus)


@pytest.mark.parametrize(
    "name",
    ["depo", *(pytest.param(n, marks=pytest.mark.slow) for n in ("brevo", "mano", "copy", "lano"))],
)
def test_the_experiments_can_be_prepared(name):
    prepared = prepare(composed((f"+experiment={name}",)))
    n_steps = prepared.batches.n_tokens() / prepared.batches.seq_len / prepared.batches.batch_size
    assert 300 < n_steps < 5000


@pytest.mark.slow
def test_two_layers_learn_to_copy(tmp_path):
    """The whole way: marked targets, left-aligned windows, the scorer."""
    config = composed(
        (
            "+experiment=copy",
            "model.n_layers=2",
            "data.n_copied=8",
            "data.seq_len=17",
            "data.n_symbols=16",
            "data.n_documents=16_000",
            "optim.warmup_steps=50",
            "runtime.n_evaluations=2",
            "runtime.progress_bar=false",
            f"runs_dir={tmp_path}",
        )
    )
    record = execute(config, RunDirectory(config.run_dir)).record
    found = by_text(record.metrics)
    assert found["task/token_accuracy"].value > 0.9


@pytest.mark.parametrize("config", [DEPO, COPY], ids=["depo", "copy"])
def test_a_model_without_a_preference_has_the_loss_of_a_guess(config):
    corpus = config.build(0)
    model = Writer(corpus.vocabulary.size, None)
    metrics = TaskAccuracyConfig(n_answers=20).measure(model, corpus).metrics
    losses = [m.value for m in metrics if m.name == "task/loss_nats"]
    assert losses == pytest.approx([math.log(corpus.vocabulary.size)] * len(losses), rel=1e-6)
    assert len(losses) == (4 if config is DEPO else 1)  # each k, and all
