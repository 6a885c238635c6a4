"""Worlds from files as a checkpoint reads them: composed from a command line."""

import json

import pytest

from physlm.config import composed
from physlm.config.schema import Stage
from physlm.data.files.text_corpus import TextCorpus
from physlm.errors import InputError
from physlm.preparation import build_world
from tests.models.checkpoints import save_bytewise


@pytest.fixture
def files(tmp_path):
    """A source of each world."""
    rows = {
        "texts": [{"text": f"number {i}"} for i in range(20)],
        "mquake": [{"single_hops": [{"cloze": "One plus one is", "answer": "two"}]}],
        "options": [{"sentence": "Fun.", "label": 1}],
    }
    for world, content in rows.items():
        (tmp_path / f"{world}.json").write_text(json.dumps(content))
    return {world: tmp_path / f"{world}.json" for world in rows}


@pytest.mark.parametrize("world", ["texts", "mquake", "options"])
def test_a_checkpoint_measures_and_the_run_id_follows_the_content_of_the_file(files, world):
    words = (f"data={world}", f"data.source={files[world]}", "model=checkpoint", "~eval")
    config = composed(words)
    assert (config.stage, config.data.exposures) == (Stage.measure, 0)
    moved = files[world].rename(files[world].with_name("moved.json"))
    assert composed((*words, f"data.source={moved}")).run_id == config.run_id
    moved.write_text(moved.read_text().replace("n", "m"))
    assert composed((*words, f"data.source={moved}")).run_id != config.run_id


def test_a_checkpoint_reads_texts_that_are_not_tokenised_for_it(files, tmp_path, monkeypatch):
    monkeypatch.setattr(TextCorpus, "vocabulary", None)
    save_bytewise(tmp_path / "model")
    source, path = f"data.source={files['texts']}", f"model.path={tmp_path / 'model'}"
    world = build_world(composed(("data=texts", source, "model=checkpoint", path, "~eval")))
    text = world.corpus.texts("held_out")[0]
    assert world.model.text.tokenizer.decode(world.model.text.tokenizer(text).input_ids) == text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("data=bios",), "has its own tokenizer, and data/bios has no texts for it; use data="),
        (
            ("data=texts", "eval=capacity"),
            "and eval=capacity measures only models that use a corpus's tokens",
        ),
        (("data=texts", "stage=train"), "cannot be trained; set stage=measure"),
    ],
)
def test_worlds_without_text_and_scorers_of_tokens_are_refused_for_a_checkpoint(words, message):
    with pytest.raises(InputError, match=message):
        composed(("model=checkpoint", "eval=public_figures", *words))
