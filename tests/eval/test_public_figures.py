"""Questions about public figures: the table, what counts as right, and checkpoints of others."""

import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from physlm.config import composed, register
from physlm.data.public.corpus import PublicFiguresConfig
from physlm.data.public.figures import figures
from physlm.data.public.questions import TASKS, line_of
from physlm.data.tokens import END_OF_TEXT, WORD
from physlm.errors import InputError
from physlm.eval.figure_questions import prompts_of
from physlm.eval.public_figures import PublicFiguresScorerConfig
from physlm.inheritance import model_of
from physlm.measurement import by_text
from physlm.models.pretrained import load_pretrained
from physlm.models.pretrained_text import _asked
from physlm.models.transformers_format import save_transformers
from physlm.pipeline import execute
from physlm.run_directory import RunDirectory
from physlm.weights import Weights
from tests.eval.oracle import saying

transformers = pytest.importorskip("transformers")
register()
BY_NAME = {task.name: task for task in TASKS}
TURING = next(figure for figure in figures() if figure.name == "Alan Turing")
DARWIN = next(figure for figure in figures() if figure.name == "Charles Darwin")
GOEDEL = next(figure for figure in figures() if figure.name == "Kurt Gödel")


def test_the_table_is_of_different_people_from_the_eldest_to_the_youngest():
    people = figures()
    assert len(people) > 100
    assert len({person.name for person in people}) == len(people)
    assert sorted(people, key=lambda person: person.birth_date) == list(people)
    assert all(person.birth_date.year > 1700 and person.birthplace for person in people)


RIGHT = {
    "birth_date": (
        "June 23, 1912",
        "He was born on 23 june 1912.",
        "June 23rd, 1912",
        "1912-06-23",
        "Jun. 23, 1912",
        "the 23rd of June 1912",
        "He may have been born June 23, 1912",
        "June 23, 1912, that is 1912-06-23",
    ),
    "birth_year": ("1912", "In 1912."),
    "birthplace": (
        "london, England",
        "London",
        "Alan Turing was born in London.",
        "He was born in London (Maida Vale)",
        "It is London. He then went to school.",
    ),
    "birth_month_mod_2": ("Yes, June is.", "yes"),
    "full_name_from_birth_date": (
        "Alan Turing",
        "Alan Mathison Turing",
        "It was Alan M. Turing.",
        "Alan Turing, born in London",
    ),
}
WRONG = {
    "birth_date": ("June 24, 1912", "June 1912", "June 23, 1912 or June 24, 1912", "1912-23-06"),
    "birth_year": ("1912 or 1913", "12", ""),
    "birthplace": (
        "Londonderry",
        "London or Manchester",
        "New London",
        "not in London",
        "He was not born in London",
        "Paris, not London",
        "",
    ),
    "birth_month_mod_2": ("No", "", "Even", "June"),
    "full_name_from_birth_date": ("Turing", "Alan Turing and John Smith", "John Turing", ""),
}


@pytest.mark.parametrize(("answers", "is_right"), [(RIGHT, True), (WRONG, False)])
def test_an_answer_is_right_if_it_gives_one_value_and_the_right_one(answers, is_right):
    for task, lines in answers.items():
        question = BY_NAME[task].ask(TURING, DARWIN)
        assert {line: BY_NAME[task].is_right(question, line) for line in lines} == dict.fromkeys(
            lines, is_right
        )


def test_a_name_that_is_a_city_does_not_answer_where():
    nightingale = next(figure for figure in figures() if figure.name == "Florence Nightingale")
    where = BY_NAME["birthplace"]
    question = where.ask(nightingale, TURING)
    assert not where.is_right(question, "Florence Nightingale was born in Derbyshire")
    assert not where.is_right(question, "Florence Nightingale")
    assert where.is_right(question, "Florence Nightingale was born in Florence, Italy")


def test_other_names_are_right_too():
    goedel, kennedy, gandhi = (
        next(f for f in figures() if n in f.name) for n in ("Gödel", "Kennedy", "Mahatma")
    )
    where, who = BY_NAME["birthplace"], BY_NAME["full_name_from_birth_date"]
    assert where.is_right(where.ask(goedel, TURING), "Brünn")
    assert who.is_right(who.ask(kennedy, TURING), "John Fitzgerald Kennedy")
    assert who.is_right(who.ask(gandhi, TURING), "Mohandas K. Gandhi")


def test_accents_do_not_matter_and_whoever_fits_is_right():
    inverse = BY_NAME["full_name_from_birth_date"]
    assert inverse.is_right(inverse.ask(GOEDEL, DARWIN), "Kurt Godel")
    born = inverse.ask(DARWIN, TURING)
    assert inverse.is_right(born, "Abraham Lincoln")
    assert inverse.is_right(born, "Charles Darwin")
    with_place = BY_NAME["full_name_from_date_and_place"]
    assert not with_place.is_right(with_place.ask(DARWIN, TURING), "Abraham Lincoln")


def test_comparisons_are_of_dates():
    ranking = BY_NAME["birth_date_ranking"]
    assert ranking.ask(DARWIN, TURING).answer == "Yes"
    assert ranking.ask(TURING, DARWIN).answer == "No"


def test_examples_before_a_question_are_about_others():
    corpus = PublicFiguresConfig().build(0)
    for task in TASKS:
        for figure, prompt in zip(figures(), prompts_of(task, corpus.seed, 3), strict=True):
            *shots, asked = re.split(r"\n?Question: ", prompt)[1:]
            assert len(shots) == 3
            assert asked.endswith("Answer:")
            needle = figure.name if "{name}" in task.wording else figure.written_date
            assert needle in asked
            assert not any(needle in shot for shot in shots)


def test_training_texts_ask_forwards_only():
    corpus = PublicFiguresConfig().build(0)
    epoch = corpus.epoch(0, 0, corpus.n_documents)
    texts = {
        corpus.vocabulary.decode(epoch.tokens[start + 1 : end])
        for start, end in zip(epoch.starts, epoch.starts[1:], strict=False)
    }
    trained = ("birth_date", "birth_year", "birthplace")
    asked = [BY_NAME[name].ask(figure, figure) for figure in figures() for name in trained]
    assert texts == {line_of(question.text, question.answer) for question in asked}
    assert corpus.fingerprint() != PublicFiguresConfig().build(1).fingerprint()


def scored(says):
    corpus = PublicFiguresConfig().build(0)
    scorer = PublicFiguresScorerConfig(n_shots=2)
    model = saying(corpus.vocabulary, says)
    scorer.check(model, corpus)
    return by_text(scorer.measure(model, corpus).metrics)


def truths():
    """The answer to every question that there is."""
    people = figures()
    return {
        question.text: question.answer
        for task in TASKS
        for figure in people
        for other in (people if task.has_other else people[:1])
        for question in [task.ask(figure, other)]
    }


def last_question(prompt):
    return prompt.rpartition("Question: ")[2].partition("\n")[0]


def test_a_model_that_knows_every_answer_scores_100_and_one_that_is_wrong_0():
    known = truths()
    perfect = scored(lambda prompt: f"{known[last_question(prompt)]}\nQuestion")
    opposite = {"Yes": "No", "No": "Yes"}
    wrong = scored(lambda prompt: opposite.get(known[last_question(prompt)], "Which"))
    silent = scored(lambda prompt: "")
    for task in TASKS:
        split = "train" if task.is_trained else "test"
        name = f"public_figures/accuracy{{split={split},task={task.name}}}"
        assert perfect[name].value == 1
        assert perfect[name].n == len(figures())
        assert wrong[name].value == silent[name].value == 0
    chance = perfect["public_figures/chance{split=test,task=birth_month_mod_2}"].value
    n_odd = sum(figure.birth_date.month % 2 for figure in figures())
    assert chance == max(n_odd, len(figures()) - n_odd) / len(figures())


def run(*words):
    config = composed(words)
    return config, execute(config, RunDirectory(config.run_dir))


def save_tokenizer(vocabulary, folder):
    """The words of a compact vocabulary as a tokenizer that `transformers` opens."""
    words = {vocabulary.decode(np.array([i])): i for i in range(vocabulary.size)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=END_OF_TEXT))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END_OF_TEXT} $A", special_tokens=[(END_OF_TEXT, vocabulary.eos)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END_OF_TEXT, clean_up_tokenization_spaces=False
    ).save_pretrained(folder)


@pytest.mark.slow
def test_a_model_of_ours_scores_alike_here_and_as_a_checkpoint(tmp_path):
    """It was trained for a while, and knows some answers."""
    words = (
        "+experiment=turing_facts",
        "stage=train",
        "model=llama",
        "model.n_layers=2",
        "model.n_heads=4",
        "model.d_model=128",
        "model.init_std=0.05",
        "optim.learning_rate=3e-3",
        "optim.warmup_steps=20",
        "trainer.batch_size=4",
        "data.exposures=60",
        "eval.public_figures.n_shots=0",
        f"runs_dir={tmp_path}",
    )
    ours, outcome = run(*words)
    corpus = ours.data.build(0)
    weights = Weights(RunDirectory(ours.run_dir).model, outcome.record.origin)
    model = model_of(ours, corpus.vocabulary.size, weights=weights)
    folder = tmp_path / "checkpoint"
    save_transformers(model, folder)
    save_tokenizer(corpus.vocabulary, folder)
    theirs, again = run(
        "+experiment=turing_facts",
        f"model.path={folder}",
        "eval.public_figures.n_shots=0",
        f"runs_dir={tmp_path}",
    )
    values = [
        {(m.name, m.dims["task"]): m.value for m in done.record.metrics}
        for done in (outcome, again)
    ]
    assert values[0] == values[1]
    splits = {m.dims["task"]: m.dims["split"] for m in outcome.record.metrics}
    assert {task for task, split in splits.items() if split == "train"} == {
        "birth_date",
        "birth_year",
        "birthplace",
    }
    assert {m.dims["split"] for m in again.record.metrics} == {"test"}
    assert (
        by_text(again.record.metrics)["public_figures/accuracy{split=test,task=birth_year}"].value
        > 0.1
    )
    assert not RunDirectory(theirs.run_dir).model.exists()


def checkpoint(folder, kind):
    """A model of ``transformers`` with random weights, and the words of the questions."""
    vocabulary = PublicFiguresConfig().build(0).vocabulary
    save_tokenizer(vocabulary, folder)
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(
        kind,
        vocab_size=vocabulary.size,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        state_size=4,
        eos_token_id=vocabulary.eos,
        bos_token_id=vocabulary.eos,
        pad_token_id=vocabulary.eos,
    )
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return load_pretrained(folder)


@pytest.mark.parametrize("kind", ["llama", "gpt_neox", "mamba"])
def test_any_causal_model_is_asked(tmp_path, kind):
    """With random weights nothing is known, but everything is measured."""
    model, corpus = checkpoint(tmp_path, kind), PublicFiguresConfig().build(0)
    scorer = PublicFiguresScorerConfig(max_new_tokens=4, batch_size=64)
    metrics = scorer.measure(model, corpus).metrics
    assert {(metric.name, metric.dims["task"]) for metric in metrics} == {
        (f"public_figures/{what}", task.name) for task in TASKS for what in ("accuracy", "chance")
    }
    assert by_text(metrics)["public_figures/accuracy{split=train,task=birth_date}"].value == 0
    tokens = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        assert torch.equal(model(tokens), model.model(tokens).logits)


def test_a_chat_model_is_asked_as_its_template_says(tmp_path):
    """The template writes the token that begins a text; it stands there once."""
    model = checkpoint(tmp_path, "llama")
    asked = "Was Alan Turing born in an even month?"
    plain = model.text.write([f"Question: {asked}"], max_tokens=4)
    model.text.tokenizer.chat_template = (
        f"{END_OF_TEXT}{{% for m in messages %}}Question: {{{{ m.content }}}}{{% endfor %}}"
    )
    assert model.text.write([asked], max_tokens=4) == plain


NASTY = {
    "suppress_tokens": list(range(0, 300, 2)),
    "forced_eos_token_id": 5,
    "repetition_penalty": 5.0,
    "no_repeat_ngram_size": 1,
    "bad_words_ids": [[7]],
    "min_length": 100,
    "num_beams": 3,
    "renormalize_logits": True,
    "begin_suppress_tokens": [11],
    "guidance_scale": 3.0,
    "sequence_bias": [[[9], 50.0]],
    "do_sample": True,
    "temperature": 0.1,
    "top_k": 2,
    "top_p": 0.1,
    "max_length": 3,
    "stop_strings": ["a"],
    "exponential_decay_length_penalty": [1, 9.0],
}


def told_to_decode(folder, **settings):
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return load_pretrained(folder)


def by_hand(model, prompt, n, choose):
    """Token by token."""
    tokens = model.text.tokenizer(prompt, return_tensors="pt")["input_ids"]
    start = tokens.shape[1]
    for _ in range(n):
        with torch.no_grad():
            scores = model.model(tokens).logits[:, -1]
        tokens = torch.cat([tokens, choose(scores)], dim=1)
    return model.text.tokenizer.decode(tokens[0, start:])


def test_decoding_is_greedy_whatever_the_folder_says(tmp_path):
    checkpoint(tmp_path, "llama")
    model = told_to_decode(tmp_path, **NASTY)
    prompts = ["Question: Where was Alan Turing born?", "Was"]
    for prompt, text in zip(prompts, model.text.write(prompts, max_tokens=12), strict=True):
        assert text == by_hand(model, prompt, 12, lambda s: s.argmax(-1, keepdim=True))


def test_sampling_is_from_all_tokens_whatever_the_folder_says(tmp_path):
    checkpoint(tmp_path, "llama")
    model, prompt = told_to_decode(tmp_path, **NASTY), "Question: Where was Alan Turing born?"
    text = model.text.write([prompt], max_tokens=12, temperature=2.0, seed=3)
    torch.manual_seed(3)
    assert text == [by_hand(model, prompt, 12, lambda s: torch.multinomial((s / 2).softmax(-1), 1))]


def test_an_answer_ends_where_the_folder_or_its_tokenizer_ends_it(tmp_path):
    greedy = checkpoint(tmp_path, "llama")
    asked = "Question: Where was Alan Turing born?"
    text = greedy.text.write([asked], max_tokens=12)[0]
    third = greedy.text.tokenizer(text, add_special_tokens=False)["input_ids"][2]
    model = told_to_decode(tmp_path, eos_token_id=[third])
    assert model.text.ends == sorted({third, model.text.tokenizer.eos_token_id})
    ended = model.text.write([asked], max_tokens=12)[0]
    assert text.startswith(ended)
    assert model.text.tokenizer(ended, add_special_tokens=False)["input_ids"][-1] == third


def saying_this(model, *texts):
    """A model that writes just this, whatever it is asked."""
    tokens = [model.text.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    longest = max(map(len, tokens))
    rows = torch.tensor([row + [0] * (longest - len(row)) for row in tokens])
    model.model.generate = lambda input_ids, **_: torch.cat(
        [input_ids, rows.repeat(len(input_ids) // len(rows), 1)], dim=1
    )
    return model


@pytest.fixture(scope="module")
def bytewise(tmp_path_factory):
    """A tiny checkpoint that has a token for every byte, and special ones around thoughts."""
    folder = tmp_path_factory.mktemp("bytewise")
    save_bytewise(folder)
    return folder


def save_bytewise(folder):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {token: i for i, token in enumerate(["<|end|>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(words, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|end|>",
        additional_special_tokens=["[THINK]", "[/THINK]"],
    ).save_pretrained(folder)
    config = transformers.GPT2Config(
        vocab_size=len(words) + 2,
        n_positions=1024,
        n_embd=8,
        n_layer=1,
        n_head=1,
        bos_token_id=0,
        eos_token_id=0,
    )
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)


WITH_THOUGHTS = {
    "<think>\nHe was\nborn.\n</think>\n\nLondon": "London",
    "He lived long ago.\n</think>\n\nLondon": "London",
    "[THINK]He was born.[/THINK]London": "London",
    "<reasoning>He was.</reasoning> London": "London",
    "<|channel|>analysis<|message|>He was.<|end|><|start|>assistant"
    "<|channel|>final<|message|>London": "London",
    "<think>a</think>b<think>c</think> London": "London",
    "London": "London",
    "<think>\nHe was born in": None,
    "[THINK]He was born in": None,
    "<think>a</think>b<think>c": None,
}


def test_thoughts_are_no_part_of_an_answer(bytewise):
    model = saying_this(load_pretrained(bytewise), *WITH_THOUGHTS)
    answers = model.text.answers(["Where?"] * len(WITH_THOUGHTS), max_tokens=200)
    found = [answer and answer.strip() for answer in answers]
    assert dict(zip(WITH_THOUGHTS, found, strict=True)) == WITH_THOUGHTS


def test_a_template_that_begins_thoughts_leaves_the_word_after_them_alone(bytewise):
    model = saying_this(
        load_pretrained(bytewise), "He was.</think> London", "He was born in London"
    )
    model.text.tokenizer.chat_template = (
        "{% for m in messages %}{{ m.content }}{% endfor %} <think>\n"
    )
    answers = model.text.answers(["Where?"] * 2, max_tokens=20)
    assert answers == [" London", None]
    model.text.tokenizer.chat_template += "</think>"
    assert model.text.answers(["Where?"] * 2, max_tokens=20)[1] == "He was born in London"


def test_questions_that_a_model_was_still_thinking_about_are_counted(bytewise, capsys):
    model, corpus = load_pretrained(bytewise), PublicFiguresConfig().build(0)
    scorer = PublicFiguresScorerConfig(n_shots=0, batch_size=len(figures()), max_new_tokens=7)
    saying_this(model, *(["<think>It is", "Yes"] * len(figures()))[: len(figures())])
    metrics = by_text(scorer.measure(model, corpus).metrics)
    share = metrics["public_figures/cut_off{split=test,task=birth_month_mod_2}"].value
    assert share == (len(figures()) + 1) // 2 / len(figures())
    assert "answers were cut off in their thoughts" in capsys.readouterr().err
    saying_this(model, "Yes")
    assert not any("cut_off" in m.name for m in scorer.measure(model, corpus).metrics)
    assert "cut off" not in capsys.readouterr().err


def test_a_chat_template_is_not_told_what_day_it_is(bytewise):
    model = load_pretrained(bytewise)
    model.text.tokenizer.chat_template = (
        "{% macro day() %}{{ strftime_now('%d %b %Y') }}{% endmacro %}"
        "{% if strftime_now is defined %}{% set date_string = day() %}{% endif %}"
        "Today is {{ date_string }}.{% for m in messages %} {{ m.content }}{% endfor %}"
    )
    assert _asked(model.text.tokenizer, "Who?") == "Today is 26 Jul 2024. Who?"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"chat_template": "{% nonsense"}, "cannot be read: TemplateSyntaxError"),
        ({"auto_map": {"AutoTokenizer": ["tok.XTokenizer", None]}}, "no code from a folder"),
    ],
)
def test_a_tokenizer_that_cannot_be_used_as_meant_is_refused(tmp_path, changed, message):
    save_bytewise(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(InputError, match=message):
        load_pretrained(tmp_path)


def test_a_tokenizer_that_loses_what_is_asked_is_refused(bytewise):
    model = load_pretrained(bytewise)
    model.text.require_reads(["Where was Gödel born?"], 3)
    model.text.tokenizer.backend_tokenizer.normalizer = normalizers.Replace("Gödel", "")
    with pytest.raises(InputError, match="reads 'Where was Gödel born.' as 'Where was  born"):
        model.text.require_reads(["Where was Gödel born?"], 3)


def test_a_model_that_computes_no_numbers_is_told_so(tmp_path):
    """And not that it reads on both sides."""
    save_bytewise(tmp_path)
    file = tmp_path / "model.safetensors"
    huge = {name: w * 1e30 for name, w in load_file(file).items()}
    save_file(huge, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match="GPT2LMHeadModel computes NaN or infinity"):
        load_pretrained(tmp_path)


def test_a_checkpoint_that_cannot_read_the_questions_is_refused_before(tmp_path):
    model, corpus = checkpoint(tmp_path, "llama"), PublicFiguresConfig().build(0)
    model.text.longest_window = 100
    with pytest.raises(InputError, match="this model reads 100; lower n_shots"):
        PublicFiguresScorerConfig(n_shots=20).check(model, corpus)
    model.model.resize_token_embeddings(50)
    with pytest.raises(InputError, match="the model only 50"):
        PublicFiguresScorerConfig(n_shots=0).check(model, corpus)


def test_an_encoder_is_no_causal_model(tmp_path):
    with pytest.raises(InputError, match="BertLMHeadModel reads on both sides"):
        checkpoint(tmp_path, "bert")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("model.path=nowhere",), "nowhere does not exist"),
        (("model.path=",), "model.path is empty"),
        (("model.path=nowhere", "stage=train"), "measured as it is; set stage=measure"),
        (("model.path=nowhere", "eval.public_figures.n_shots=-1"), "n_shots=-1"),
        (("model.path=nowhere", "eval.public_figures.n_shots=200"), "n_shots=200; must be at most"),
        (("model.path=nowhere", "eval=capacity"), "reads tokens of its own"),
        (("model.path=nowhere", "data=bios"), "reads tokens of its own"),
        (("model.path=nowhere", "init_from='+experiment=people'"), "leave init_from out"),
        (("model=gpt2",), "stage=measure trains nothing"),
        (("model=gpt2", "stage=train", "eval=qa"), "eval=qa asks questions"),
        (("model=gpt2", "stage=train", "data=biod"), "use it"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(tmp_path, words, fault):
    with pytest.raises(InputError, match=fault):
        run("+experiment=turing_facts", *words, f"runs_dir={tmp_path}")


def test_a_folder_without_weights_or_tokenizer_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(InputError, match=r"has no tokenizer\.json"):
        load_pretrained(tmp_path)
    save_tokenizer(PublicFiguresConfig().build(0).vocabulary, tmp_path)
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        load_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        load_pretrained(tmp_path)


def test_a_folder_names_the_run_by_what_it_holds(tmp_path, monkeypatch):
    for name in ("a", "b/c"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "weights").write_text("one")

    def named(path):
        return composed(("+experiment=turing_facts", f"model.path={path}"))

    monkeypatch.chdir(tmp_path)
    first = named("a")
    assert re.fullmatch(rf"{tmp_path}/a@[0-9a-f]{{16}}", first.described()["model"]["path"])
    assert named("b/c").run_id == first.run_id
    monkeypatch.chdir(tmp_path / "a")
    assert named(".").run_id == first.run_id
    (tmp_path / "a" / "weights").write_text("two")
    assert named(".").run_id != first.run_id
    with pytest.raises(ValueError, match=f"{tmp_path}/a has changed"):
        first.model.build(0, 0, 0)


def test_a_run_that_trained_nothing_is_not_started_from(tmp_path):
    checkpoint(tmp_path, "llama")
    words = ("+experiment=turing_facts", f"model.path={tmp_path}")
    with pytest.raises(InputError, match="trains nothing"):
        run(
            "data=public_figures",
            "model=inherited",
            "eval=public_figures",
            f"init_from='{words[0]} {words[1]}'",
            f"runs_dir={tmp_path}",
        )
