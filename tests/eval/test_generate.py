import dataclasses
import json

import numpy as np
import pytest
import scipy.stats
import torch
import transformers

from physlm.errors import InputError
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.models.language_model import LanguageModel
from physlm.models.transformers_format import save_transformers
from tests.conftest import printed
from tests.models.test_decoder import STYLES, config

VOCABULARY, EOS = 20, 7
EVEN = [[1, 2, 3], [4, 5, 6], [2, 3, 1], [9, 9, 8]]
MIXED = [[1], [2, 3, 4, 5, 6, 1, 8], [5, 4, 3], [6, 2, 11, 5, 9, 1, 0]]


def build(style="learned", **changes):
    return config(style, **changes).build(VOCABULARY, 24, 0)


def rows(generated):
    return [row.tolist() for row in generated.tokens]


@torch.no_grad()
def greedily_without_cache(model, prompt, n):
    text = list(prompt)
    for _ in range(n):
        text.append(int(model(torch.tensor([text]))[0, -1].argmax()))
    return text[len(prompt) :]


# Of one length in the comparison with `transformers` below.
@pytest.mark.parametrize(
    "prompts", [pytest.param(EVEN, marks=pytest.mark.slow), MIXED], ids=["even", "mixed"]
)
@pytest.mark.parametrize("style", [*STYLES, "gqa"])
def test_greedy_text_equals_that_of_a_full_forward_pass_for_every_token(style, prompts):
    model = build("gpt2", n_kv_heads=2) if style == "gqa" else build(style)
    greedy = Sampling(max_new_tokens=14, temperature=0.0)
    expected = [greedily_without_cache(model, prompt, 14) for prompt in prompts]
    assert rows(generate(model, prompts, greedy, seed=0)) == expected


def test_text_continues_beyond_the_rotary_table_and_the_model_still_trains():
    model = build("gpt2")
    greedy = Sampling(max_new_tokens=60, temperature=0.0)
    written = rows(generate(model, MIXED, greedy, seed=0))
    assert written == [greedily_without_cache(model, prompt, 60) for prompt in MIXED]
    model(torch.tensor([[1] * 30])).sum().backward()


@pytest.mark.parametrize("style", ["learned", "mistral"])
def test_greedy_text_equals_that_of_transformers(tmp_path, style):
    model = build(style)
    save_transformers(model, tmp_path)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    prompts = torch.tensor(EVEN)
    expected = theirs.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        do_sample=False,
        max_new_tokens=14,
        eos_token_id=None,
        pad_token_id=0,
    )
    greedy = Sampling(max_new_tokens=14, temperature=0.0)
    assert rows(generate(model, prompts, greedy, seed=0)) == expected[:, 3:].tolist()


@pytest.mark.parametrize(
    ("temperature", "top_k"), [(1.0, None), (0.5, None), (2.0, 5), (1.0, 2), (1.0, VOCABULARY)]
)
def test_tokens_are_drawn_with_the_models_probabilities(temperature, top_k):
    model, prompt, n = build(), [3, 1], 20_000
    with torch.no_grad():
        scores = model(torch.tensor([prompt]))[0, -1].double() / temperature
    if top_k is not None:
        scores[scores.argsort(descending=True)[top_k:]] = -torch.inf
    expected = n * scores.softmax(-1).numpy()
    sampling = Sampling(max_new_tokens=1, temperature=temperature, top_k=top_k, batch_size=n)
    drawn = np.concatenate(generate(model, [prompt] * n, sampling, seed=1).tokens)
    found = np.bincount(drawn, minlength=VOCABULARY)
    assert not found[expected == 0].any()
    assert scipy.stats.chisquare(found[expected > 0], expected[expected > 0]).pvalue > 0.01


def test_second_tokens_follow_the_probabilities_after_the_first():
    model, n = build(), 20_000
    sampling = Sampling(max_new_tokens=2, batch_size=n)
    drawn = np.stack(generate(model, [[3, 1]] * n, sampling, seed=2).tokens)
    first = np.bincount(drawn[:, 0]).argmax()
    seconds = np.bincount(drawn[drawn[:, 0] == first, 1], minlength=VOCABULARY)
    with torch.no_grad():
        expected = model(torch.tensor([[3, 1, first]]))[0, -1].double().softmax(-1).numpy()
    assert scipy.stats.chisquare(seconds, seconds.sum() * expected).pvalue > 0.01


@pytest.mark.parametrize("uniform", [2.0**-24, 0.5, 1.0])
def test_tokens_of_probability_zero_are_never_drawn(uniform):
    scores = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]])
    drawn = Sampling(max_new_tokens=1).draw(scores, torch.tensor([uniform]))
    assert drawn.tolist() == [3 if uniform > 0.5 else 1]


@pytest.mark.parametrize(
    ("style", "prompts", "batch_size"),
    [
        ("gpt2", MIXED, 23),
        ("mistral", EVEN, 512),
        pytest.param("gpt2", EVEN, 512, marks=pytest.mark.slow),
        pytest.param("mistral", MIXED, 23, marks=pytest.mark.slow),
        pytest.param("mistral", MIXED, 512, marks=pytest.mark.slow),
    ],
)
def test_dropping_ended_rows_changes_nothing_but_their_ends(style, prompts, batch_size):
    model, endless = build(style), Sampling(max_new_tokens=60)
    all_tokens = rows(generate(model, prompts * 16, endless, seed=3))
    # Of 64 rows some must be dropped at the first halving, some at the second, some never.
    n_ended = {token: sum(token in row for row in all_tokens) for token in range(VOCABULARY)}
    eos = max((token for token in n_ended if n_ended[token] < 64), key=n_ended.__getitem__)
    assert n_ended[eos] > 48
    expected = [row[: row.index(eos)] if eos in row else row for row in all_tokens]
    ending = dataclasses.replace(endless, eos=eos, batch_size=batch_size)
    generated = generate(model, prompts * 16, ending, seed=3)
    assert rows(generated) == expected
    assert generated.is_ended.tolist() == [eos in row for row in all_tokens]


def test_the_batch_shrinks_as_rows_end_and_decoding_stops(monkeypatch):
    model, sizes = build("gpt2", init_std=0.02), []  # about 1 in 20 tokens is the end
    decode = model.decode
    monkeypatch.setattr(
        model, "decode", lambda tokens, cache: (sizes.append(len(tokens)), decode(tokens, cache))[1]
    )
    ending = Sampling(max_new_tokens=400, eos=EOS)
    assert generate(model, EVEN * 16, ending, seed=0).is_ended.all()
    assert len(sizes) < 300
    assert sizes[0] == 64
    assert sizes[-1] <= 4


def test_equal_seeds_give_equal_text_and_different_seeds_different_text():
    model, sampling = build(), Sampling(max_new_tokens=10)
    state = torch.get_rng_state()
    first, again, other = (rows(generate(model, EVEN, sampling, seed=s)) for s in (4, 4, 5))
    assert first == again != other
    assert len({tuple(row) for row in rows(generate(model, [[1]] * 50, sampling, seed=4))}) > 40
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("is_training", [True, False])
def test_every_module_returns_to_its_mode(is_training):
    model = build().train(is_training)
    model.blocks[0].train(not is_training)
    before = [module.training for module in model.modules()]
    generate(model, EVEN, Sampling(max_new_tokens=2), seed=0)
    assert [module.training for module in model.modules()] == before


def test_a_text_of_one_new_token_may_fill_the_window():
    assert len(generate(build(), [[1] * 24], Sampling(max_new_tokens=1), seed=0).tokens[0]) == 1


# In a process of its own: the compiler does not see through the shape checks of the other tests.
SCRIPT = """
import json, sys
from physlm.eval.generate import generate
from tests.eval.test_generate import EVEN, MIXED, build, ending, rows
sampling = ending(is_compiled=sys.argv[2] == "compiled")
print(json.dumps([
    rows(generate(build("mistral").to(sys.argv[1]), prompts, sampling, seed=0))
    for prompts in (EVEN, MIXED) for _ in range(2)
]))
"""


def ending(**changes):
    return Sampling(max_new_tokens=18, eos=EOS, **changes)


def plain_texts():
    """What the script should print: every text twice, since a compiled step serves them all."""
    return [
        rows(generate(build("mistral"), prompts, ending(), seed=0))
        for prompts in (EVEN, MIXED)
        for _ in range(2)
    ]


def texts_elsewhere(device, how):
    return json.loads(printed(SCRIPT, device, how))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_compiled_step_generates_the_same_text():
    assert texts_elsewhere("cpu", "compiled") == plain_texts()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("how", ["plain", "compiled"])
def test_a_gpu_generates_the_same_text(how):
    assert texts_elsewhere("cuda", how) == plain_texts()


class Forgetful(LanguageModel):
    vocabulary_size = VOCABULARY

    def forward(self, tokens, segments=None):
        return torch.zeros(*tokens.shape, VOCABULARY)


@pytest.mark.parametrize(
    ("prompts", "changes", "message"),
    [
        ([], {}, "at least one list of tokens"),
        ([[1], []], {}, "prompt 1 is empty"),
        ([[1], [2, 20]], {}, "prompts: token 20; must be from 0 to 19"),
        ([[1], [-1]], {}, "prompts: token -1"),
        ([[1]], {"eos": 20}, "eos: token 20"),
        ([[1]], {"max_new_tokens": 25}, "1 tokens and max_new_tokens=25 exceed the 24 learned"),
        ([[1]], {"max_new_tokens": 0}, "max_new_tokens=0; must be at least 1"),
        ([[1]], {"temperature": -0.5}, "temperature=-0.5"),
        ([[1]], {"temperature": float("nan")}, "temperature=nan"),
        ([[1]], {"top_k": 0}, "top_k=0"),
        ([[1]], {"batch_size": 0}, "batch_size=0"),
    ],
)
def test_prompts_and_settings_that_cannot_be_used_are_refused(prompts, changes, message):
    with pytest.raises(InputError, match=message):
        generate(build(), prompts, Sampling(**({"max_new_tokens": 2} | changes)), seed=0)


def test_models_that_cannot_generate_are_refused():
    with pytest.raises(InputError, match="this model cannot generate"):
        generate(Forgetful(), [[1]], Sampling(max_new_tokens=2), seed=0)
    diverged = build()
    with torch.no_grad():
        diverged.embedding.weight.fill_(torch.nan)
    with pytest.raises(InputError, match="logits are not finite"):
        generate(diverged, [[1]], Sampling(max_new_tokens=2), seed=0)
