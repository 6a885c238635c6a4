"""Facts in the format of MQuAKE."""

import json
import math

import pytest

from physlm.data.files.mquake import Fact, MquakeConfig
from physlm.errors import InputError


def hop(cloze, answer, *aliases):
    return {"question": "?", "cloze": cloze, "answer": answer, "answer_alias": list(aliases)}


FRANCE = hop("The capital of France is", "Paris", "City of Light")
CASES = [
    {
        "case_id": 1,
        "single_hops": [hop("The author of Misery is", "Stephen King"), FRANCE],
        "new_single_hops": [hop("The author of Misery is", "Richard Dawkins")],
    },
    {"case_id": 2, "single_hops": [FRANCE, hop("The capital of Italy is ", " Rome ")]},
]


def built(folder, cases):
    path = folder / "MQuAKE-CF-3k-v2.json"
    path.write_text(json.dumps(cases))
    return MquakeConfig(source=str(path)).build(0)


def test_facts_of_several_cases_are_one_and_edits_are_left_out(tmp_path):
    corpus = built(tmp_path, CASES)
    assert corpus.facts == (
        Fact("The author of Misery is", "Stephen King", (), "The author of Misery is"),
        Fact("The capital of France is", "Paris", ("City of Light",), "The capital of France is"),
        Fact("The capital of Italy is", "Rome", (), "The capital of Italy is"),
    )
    assert corpus.entropy_bits == pytest.approx(3 * math.log2(3))
    assert corpus.fingerprint() != built(tmp_path, CASES[:1]).fingerprint()


REWRITTEN = [
    {
        "requested_rewrite": [{"prompt": "The author of {} is", "subject": "Misery"}],
        "single_hops": [
            hop("The author of Misery is", "Stephen King"),
            hop("Stephen King was born in", "Portland"),  # about the answer before it
        ],
    },
    {"single_hops": [hop("The author of Misery is", "Stephen King"), hop("Cats eat", "mice")]},
    {
        "orig": {"triples_labeled": [["Stephen", "sex", "male"], ["male", "of", "x"]]},
        "requested_rewrite": [{"subject": "Stephen King"}],  # the longer name counts
        "single_hops": [hop("The sex of Stephen King is", "male")],
    },
    {"orig": [], "requested_rewrite": "?", "single_hops": [hop("Misery was written in", "1987")]},
]


def test_the_subject_of_a_fact_is_the_longest_name_that_a_case_has_for_it(tmp_path):
    assert [fact.subject for fact in built(tmp_path, REWRITTEN).facts] == [
        "Misery",
        "Stephen King",
        "Cats eat",
        "Stephen King",
        "Misery was written in",
    ]


def test_a_fact_has_the_subject_that_any_case_names(tmp_path):
    (author, *_) = built(tmp_path, [REWRITTEN[1], REWRITTEN[0]]).facts
    assert author.subject == "Misery"


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ([{"question": "?"}], "row 0 has no single_hops; its columns are question"),
        ([{"single_hops": []}], "has no fact in single_hops"),
        ([{"single_hops": "a"}], "single_hops of row 0 must be a list of objects"),
        ([CASES[0], {"single_hops": [{"cloze": "A is"}]}], "row 1 has no answer"),
        ([{"single_hops": [hop(" ", "a")]}], "a fact of row 0 has an empty cloze"),
        ({"single_hops": []}, "is a dict; give a list of objects"),
    ],
)
def test_another_format_is_refused_in_one_line(tmp_path, cases, message):
    with pytest.raises(InputError, match=message):
        built(tmp_path, cases)


def test_nothing_can_be_trained_and_there_are_no_tokens(tmp_path):
    with pytest.raises(ValueError, match="exposures=3, but data=mquake trains nothing; set stage"):
        MquakeConfig(exposures=3)
    corpus = built(tmp_path, CASES)
    assert (corpus.n_documents, corpus.n_epochs) == (0, 0)
    with pytest.raises(InputError, match="data=mquake is for models with their own tokenizer"):
        _ = corpus.vocabulary
    with pytest.raises(InputError, match="no documents to train on"):
        corpus.epoch(0, 0, 1)
