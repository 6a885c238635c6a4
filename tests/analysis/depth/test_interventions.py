"""Skipped blocks and patched states, against models that are changed by hand, and closed forms."""

import numpy as np
import polars as pl
import pytest
import torch

from physlm.analysis.depth import Positions
from physlm.analysis.depth.block_skipping import skipping_means, trace_skipping
from physlm.analysis.depth.patching import PromptPairs, recovered, trace_patching
from physlm.errors import InputError
from physlm.models.transformer import without_layer
from tests.analysis.depth.planted import decoder, random_tokens


def test_skipping_a_block_equals_a_model_without_it():
    model, tokens = decoder(), random_tokens((3, 8))
    rows = trace_skipping(model, tokens, Positions(skip_first=2), batch_size=2)
    with torch.no_grad():
        whole = model(tokens).log_softmax(-1)
        shorter = [without_layer(model, k)(tokens).log_softmax(-1) for k in range(3)]
    assert len(rows) == 18
    for row in rows.iter_rows(named=True):
        i, t, target = row["document"], row["position"], row["target"]
        assert row["final"] == int(whole[i, t].argmax())
        assert row["block"] == [0, 1, 2]
        for k, own in enumerate(shorter):
            assert row["top1"][k] == int(own[i, t].argmax())
            divergence = torch.sum(whole[i, t].exp() * (whole[i, t] - own[i, t]))
            assert row["kl_nats"][k] == pytest.approx(float(divergence), rel=1e-3, abs=1e-5)
            if target is None:
                assert row["loss_change_nats"][k] is None
            else:
                change = float(whole[i, t, target] - own[i, t, target])
                assert row["loss_change_nats"][k] == pytest.approx(change, rel=1e-3, abs=1e-4)


def test_skipping_is_summarised_by_block():
    rows = trace_skipping(decoder(), random_tokens((3, 8)))
    means = skipping_means(rows)
    agreement = means.filter(quantity="agreement").sort("block")
    expected = (rows["top1"].to_numpy() == rows["final"].to_numpy()[:, None]).mean(axis=0)
    np.testing.assert_allclose(agreement["value"], expected)


def pairs(model, n=5, seq=7, **changes):
    """Prompts that differ at positions 2 and 3; the answers are what the model prefers."""
    source = random_tokens((n, seq), seed=1)
    base = source.clone()
    base[:, 2:4] = random_tokens((n, 2), seed=2)
    with torch.no_grad():
        change = model(source)[:, -1] - model(base)[:, -1]
    answers = torch.stack([change.argmax(-1), change.argmin(-1)], dim=1)
    name, last = torch.zeros(2, n, seq, dtype=torch.bool)
    name[:, 2:4], last[:, -1] = True, True
    places = {"name": name, "last": last, "rest": ~(name | last)}
    given = {"source": source, "base": base, "answers": answers, "places": places, **changes}
    return PromptPairs(**given)


def at(found, **where):
    return found.filter(**where)["value"].item()


def test_patching_what_differs_recovers_everything_and_what_is_equal_nothing():
    model = decoder()
    found = recovered(trace_patching(model, pairs(model), batch_size=2))
    assert at(found, state=0, place="name") == pytest.approx(1, abs=1e-4)
    assert at(found, state=0, place="last") == pytest.approx(0, abs=1e-4)
    assert at(found, state=3, place="last") == pytest.approx(1, abs=1e-4)
    assert at(found, state=3, place="name") == pytest.approx(0, abs=1e-4)
    # Tokens before the name cannot know it; those between it and the end do.
    assert 0.01 < at(found, state=2, place="rest") < 0.99


def test_patched_scores_are_those_of_a_hook_on_the_block():
    model = decoder()
    given = pairs(model)
    rows = trace_patching(model, given, states=[2])
    with torch.no_grad():
        states = model.residuals(given.source)[2]

    def hook(block, arguments, output):
        mask = given.places["rest"][..., None]
        return torch.where(mask, states, output)

    handle = model.blocks[1].register_forward_hook(hook)
    with torch.no_grad():
        scores = model(given.base)[:, -1]
    handle.remove()
    difference = (scores.gather(1, given.answers) @ torch.tensor([1.0, -1.0])).numpy()
    own = rows.filter(place="rest")
    np.testing.assert_allclose(own["patched"], difference, rtol=1e-4, atol=1e-4)


def test_the_control_takes_its_state_from_a_third_run():
    model = decoder()
    given = pairs(model)
    of_source = pairs(model, control=given.source)
    of_base = pairs(model, control=given.base)
    same = recovered(trace_patching(model, of_source, states=[1]))
    none = recovered(trace_patching(model, of_base, states=[1]))
    for place in given.places:
        expected = at(same, run="patch", place=place)
        assert at(same, run="control", place=place) == pytest.approx(expected, abs=1e-5)
        assert at(none, run="control", place=place) == pytest.approx(0, abs=1e-5)


def test_padded_prompts_are_read_at_their_last_token():
    model = decoder()
    short = pairs(model, seq=6)
    pad = torch.full((5, 2), 9)
    longer = pairs(
        model,
        source=torch.cat([short.source, pad], 1),
        base=torch.cat([short.base, pad], 1),
        answers=short.answers,
        places={n: torch.cat([m, pad < 0], 1) for n, m in short.places.items()},
        lengths=torch.full((5,), 6),
    )
    padded, plain = trace_patching(model, longer), trace_patching(model, short)
    for name in ("source", "base", "patched"):
        np.testing.assert_allclose(padded[name], plain[name], rtol=1e-4, atol=1e-4)


def test_recovered_is_a_ratio_of_means_with_a_linearised_error():
    rng = np.random.default_rng(0)
    n = 4000
    base, source = rng.normal(-1, 1, n), rng.normal(3, 1, n)
    patched = base + 0.4 * (source - base) + rng.normal(0, 2, n)
    rows = pl.DataFrame({"source": source, "base": base, "patched": patched, "run": "patch"})
    found = recovered(rows, ["run"]).row(0, named=True)
    assert found["value"] == pytest.approx(np.sum(patched - base) / np.sum(source - base))
    resampled = []
    for _ in range(500):
        i = rng.integers(0, n, n)
        resampled.append(np.sum((patched - base)[i]) / np.sum((source - base)[i]))
    assert found["stderr"] == pytest.approx(np.std(resampled), rel=0.15)


def test_pairs_that_cannot_be_patched_are_refused():
    model = decoder()
    with pytest.raises(InputError, match=r"base has shape \(5, 6\), the source prompts \(5, 7\)"):
        pairs(model, base=random_tokens((5, 6)))
    with pytest.raises(InputError, match="both answers of pair 1 are token 4"):
        pairs(model, answers=torch.tensor([[1, 2], [4, 4], [1, 2], [1, 2], [1, 2]]))
    given = pairs(model)
    rows = trace_patching(model, pairs(model, answers=given.answers.flip(1)), states=[0])
    with pytest.raises(InputError, match="patch a model that knows the answers"):
        recovered(rows)
