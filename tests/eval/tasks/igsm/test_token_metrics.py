"""Roles of tokens, and accuracy and loss of each under the true prefix."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from physlm.data.tasks.igsm import Igsm, IgsmConfig
from physlm.data.tasks.igsm.language import END_OF_TEXT, SOLUTION, words_of
from physlm.data.tasks.igsm.solution_reading import read_solution
from physlm.eval.tasks.igsm.problem_sets import training_like
from physlm.eval.tasks.igsm.token_metrics import token_metrics
from physlm.eval.tasks.igsm.token_roles import solution_roles
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig
from tests.eval.tasks.igsm.planted import SMALL, Solver, own_solutions


def test_the_roles_of_an_example():
    text = (
        "Define Salt Yard's Bog Crate as T; r = d - k = 15 - 9 = 6; so T = 20 * r = 20 * 6 = 5. "
        "Define Ash Crate's Nail as M; so M = k = 9. "
        "Define Bog Crate's Nail as u; so u = 0. <answer> 20"
    )
    roles = dict.fromkeys(("parameter", "new_letter", "letter", "operand", "number", "result"), "")
    roles |= {"answer": "", "format": ""}
    for word, role in zip(words_of(text), solution_roles(words_of(text)), strict=True):
        roles[role] += f"{word} "
    assert roles == {
        "parameter": "Salt Yard 's Bog Crate Ash Crate 's Nail Bog Crate 's Nail ",
        "new_letter": "T r M u ",
        "letter": "T M u ",
        "operand": "d - k 20 * r k ",
        "number": "15 - 9 20 * 6 ",
        "result": "6 5 9 0 ",
        "answer": "20 ",
        "format": "Define as ; = = = ; so = = = . "
        "Define as ; so = = . Define as ; so = . <answer> ",
    }


def test_roles_are_as_many_as_the_parts_of_solutions():
    for problem in Igsm(op_max=10).sample(np.random.default_rng(0), 50):
        words = [*words_of(problem.solution), END_OF_TEXT]
        found = Counter(solution_roles(words))
        sentences = read_solution(problem.solution).sentences
        operations = [operation for sentence in sentences for operation in sentence.operations]
        terms = [len(o.terms) for o in operations if not o.terms[0].isdecimal() or o.operator]
        assert found["parameter"] == sum(len(words_of(sentence.name)) for sentence in sentences)
        assert found["letter"] == len(sentences)
        assert found["new_letter"] == found["result"] == len(operations)
        assert found["operand"] == sum(2 * n - 1 for n in terms)
        assert found["number"] == 3 * sum(n == 2 for n in terms)
        assert found["answer"] == 1
        assert sum(found.values()) == len(words)


def metrics_of(model, corpus, batch_size=7):
    asked = training_like(corpus, 30)
    return by_text(token_metrics(model, corpus, asked, batch_size))


def test_tokens_of_one_role_that_are_wrong_are_found_in_it():
    corpus = SMALL.build(0)
    own = own_solutions(corpus, [training_like(corpus, 30)])

    def wrong_answer(prompt):
        *tokens, answer = own(prompt)
        return [*tokens, (answer + 1) % 23]

    found = metrics_of(Solver(corpus.vocabulary, wrong_answer), corpus)
    for name, metric in found.items():
        if name.startswith("igsm/token_accuracy{role"):
            assert metric.value == (metric.dims["role"] != "answer")
    total = found["igsm/token_accuracy{set=trained}"]
    assert total.value == pytest.approx(1 - 30 / total.n)
    roles = [m.n for m in found.values() if m.name == "igsm/token_accuracy" and "role" in m.dims]
    assert sum(roles) == total.n


@pytest.mark.parametrize("attends", [True, False])
@torch.no_grad()
def test_accuracy_and_loss_are_those_of_documents_read_one_by_one(attends):
    config = IgsmConfig(op_max=3, ip_max=6, seq_len=400, attention_across_documents=attends)
    corpus = config.build(0)
    size = corpus.vocabulary.size
    model = DecoderConfig(d_model=16, n_layers=1, init_std=0.5).build(size, 400, 0)
    losses, hits = [], []
    for question in training_like(corpus, 30).questions:
        document = torch.tensor([*question.prompt, *question.solution, corpus.vocabulary.eos])
        first = int((document == SOLUTION).nonzero()[0]) + 1
        scores = model(document[None, :-1])[0, first - 1 :].log_softmax(-1)
        targets = document[first:]
        losses += (-scores[torch.arange(len(targets)), targets]).tolist()
        hits += (scores.argmax(-1) == targets).tolist()
    found = metrics_of(model, corpus)
    assert found["igsm/loss_nats{set=trained}"].value == pytest.approx(np.mean(losses), rel=1e-5)
    assert found["igsm/loss_nats{set=trained}"].n == len(losses)
    assert found["igsm/token_accuracy{set=trained}"].value == pytest.approx(np.mean(hits))
    assert np.mean(losses) != pytest.approx(math.log(size), rel=0.01)
