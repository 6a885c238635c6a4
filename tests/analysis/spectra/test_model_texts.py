"""The user's own texts in the tokens of a checkpoint, also of one with an attention sink."""

import json

import pytest
import torch

from physlm.analysis.spectra.model_texts import model_texts
from physlm.analysis.spectra.spectra import SpectraConfig
from physlm.analysis.spectra.spectra_comparisons import row_options
from physlm.analysis.spectra.text_covariates import text_covariates
from physlm.analysis.spectra.text_rows import text_rows
from physlm.data.files.labelled_texts import LabelledTextsConfig
from physlm.errors import InputError
from physlm.models.pretrained import load_pretrained
from tests.models.families import save


def corpus(folder, texts):
    rows = [{"text": t, "label": str(i % 2 == 0), "problem": i // 2} for i, t in enumerate(texts)]
    (folder / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return LabelledTextsConfig(source=str(folder / "texts.jsonl")).build(0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    save(folder, "gpt_oss")
    return load_pretrained(folder)


def test_texts_of_a_checkpoint_are_measured_in_both_models(tmp_path, model):
    given = corpus(tmp_path, ["is it", "it is not", "we are", "are we"])
    texts = model_texts(model, given, "invalid", n_problems=2, n_errors=1)
    assert texts.tokens[1].tolist() == list(model.text.tokens_of("it is not"))
    config = SpectraConfig(metrics=["fiedler", "hfer"])
    untrained = model.untrained(0)
    options = row_options(config, model, texts)
    own, other = (text_rows(m, texts, options) for m in (model, untrained))
    assert own.height == other.height
    assert own["value"].is_finite().all()
    assert own["value"].to_list() != pytest.approx(other["value"].to_list(), abs=1e-2)
    assert len(text_covariates(model, texts, 4)) == 4


@torch.no_grad()
def test_an_untrained_checkpoint_is_a_function_of_its_seed_and_leaves_the_trained_one(model):
    tokens = torch.arange(8)[None]
    before = model(tokens)
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    first, again, other = (model.untrained(seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first(tokens), again(tokens))
    assert not torch.allclose(first(tokens), other(tokens))
    assert torch.equal(model(tokens), before)
    assert first.output_weight.dtype == model.output_weight.dtype


@pytest.mark.parametrize(
    ("texts", "n_least", "message"),
    [
        (["is it", "a", "we are", "are we"], 3, "text 1 of problem 0 has 1 token; .* at least 3"),
        (["is it", "it is " * 30, "we", "us"], 2, "labelled texts have up to .* tokens"),
    ],
)
def test_texts_that_are_too_short_or_too_long_are_refused_in_one_line(
    tmp_path, model, texts, n_least, message
):
    given = corpus(tmp_path, texts)
    with pytest.raises(InputError, match=message) as caught:
        model_texts(model, given, "invalid", n_problems=2, n_errors=1, n_least=n_least)
    assert "\n" not in str(caught.value)
