"""Knowledge of public figures, of physlm models and of checkpoints."""

import datetime
import re
from functools import cache

import polars as pl
import pytest
import torch

from physlm.config import composed, register
from physlm.data.public.corpus import PublicFiguresConfig
from physlm.data.public.figures import figures
from physlm.data.public.questions import TASKS
from physlm.errors import InputError
from physlm.eval.public.public_figures import PublicFiguresScorerConfig
from physlm.eval.public.questions import Asked, Hint, chosen_people
from physlm.measurement import by_text
from physlm.models.pretrained import load_pretrained
from physlm.models.transformers_format import save_transformers
from physlm.pipeline import execute
from physlm.preparation import model_of
from physlm.run_directory import RunDirectory
from physlm.weights import Weights, load_weights
from tests.eval.oracle import saying
from tests.models.checkpoints import checkpoint, save_bytewise, save_tokenizer, saying_this

register()

N_PEOPLE = 30  # asked about in most tests, to be quick
PEOPLE = [figures()[i] for i in chosen_people(0, N_PEOPLE)]


def test_shots_are_about_other_people():
    corpus = PublicFiguresConfig().build(0)
    for task in TASKS:
        for figure, prompt in zip(figures(), Asked(task, corpus.seed, 3).prompts, strict=True):
            *shots, asked = re.split(r"\n?Question: ", prompt)[1:]
            assert len(shots) == 3
            assert asked.endswith("Answer:")
            needle = figure.name if "{name}" in task.template else figure.written_date
            assert needle in asked
            assert not any(needle in shot for shot in shots)


def measured(says, **values):
    corpus = PublicFiguresConfig().build(0)
    scorer = PublicFiguresScorerConfig(**{"n_shots": 2, "n_people": N_PEOPLE, **values})
    model = saying(corpus.vocabulary, says)
    scorer.check(model, corpus)
    return scorer.measure(model, corpus)


def scored(says, **values):
    return by_text(measured(says, **values).metrics)


NAME = "|".join(re.escape(figure.name) for figure in figures())  # some have dots, or are Max Born
BORN = re.compile(rf"({NAME}) was born on (\w+ \d+, \d+)")


@cache
def truths():
    """The answer to every question."""
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


def facts_before_last_question(prompt):
    """The line before it, if that is neither a shot nor empty."""
    line = prompt.rpartition("Question: ")[0].rstrip("\n").rpartition("\n")[2]
    return "" if line.startswith("Answer:") else line


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
        assert perfect[name].n == N_PEOPLE
        assert wrong[name].value == silent[name].value == 0
    chance = perfect["public_figures/chance{split=test,task=birth_month_mod_2}"].value
    n_odd = sum(figure.birth_date.month % 2 for figure in PEOPLE)
    assert chance == max(n_odd, N_PEOPLE - n_odd) / N_PEOPLE


def reader(prompt):
    """A model that knows nobody and answers from the prompt; its hints are a day late."""
    facts, question = facts_before_last_question(prompt), last_question(prompt)
    born = dict(BORN.findall(facts))
    if not born:
        return "Which"
    if question.startswith("Which famous"):
        return next(name for name, date in born.items() if date in question)
    days = {name: datetime.datetime.strptime(date, "%B %d, %Y") for name, date in born.items()}
    if question.startswith("In which year"):
        return str(next(iter(days.values())).year)
    if question.endswith("even month?"):
        return "No" if next(iter(days.values())).month % 2 else "Yes"
    first = next(name for name in days if question.startswith(f"Was {name} born earlier"))
    return "Yes" if days[first] == min(days.values()) else "No"


def test_who_only_reads_answers_what_is_given_and_nothing_else():
    found = scored(reader, has_hints=True)
    for task in TASKS:
        dims = f"{{split={'train' if task.is_trained else 'test'},task={task.name}}}"
        assert found[f"public_figures/accuracy{dims}"].value == 0
        given = f"public_figures/accuracy_given_hint{dims}"
        assert (given in found) == (task.fact is not None)
        assert given not in found or found[given].value == 1
        written = f"public_figures/accuracy_with_hint{dims}"
        assert (written in found) == task.is_written_out
        assert f"public_figures/accuracy_where_known{dims}" not in found  # no date is known


def test_inverse_questions_are_given_the_facts_of_three_people_in_order_of_names():
    corpus, tasks = PublicFiguresConfig().build(0), [task for task in TASKS if task.is_inverse]
    for task in tasks:
        asked = Asked(task, corpus.seed, 1, hint=Hint.given)
        places = []
        for question, prompt in zip(asked.questions, asked.prompts, strict=True):
            facts = facts_before_last_question(prompt)
            names = [name for name, _ in BORN.findall(facts)]
            assert len(set(names)) == 3
            assert names == sorted(names)
            places.append(names.index(question.answer))
        assert {0, 1, 2} == set(places)


def test_what_is_written_as_a_hint_is_measured_apart_from_the_answer():
    """Every hint is right, the answer after it always yes, or no year."""
    known = truths()

    def wrote(prompt):
        asked = last_question(prompt)
        if "Therefore:" not in prompt:
            return known[asked]
        people = re.search(rf"[Ww]as ({NAME}) born(?: earlier than (.*)\?)?", asked)
        by_name = {figure.name: figure for figure in figures()}
        names = [name for name in people.groups() if name]
        dates = [f"{name} was born on {by_name[name].written_date}." for name in names]
        return " ".join([*dates, "Therefore: Yes" if asked[0] == "W" else "Therefore: Which"])

    table = measured(wrote, has_hints=True, max_new_tokens=40)
    found = by_text(table.metrics)
    for task in (task for task in TASKS if task.is_written_out):
        dims = f"{{split={'train' if task.is_trained else 'test'},task={task.name}}}"
        assert found[f"public_figures/hint_accuracy{dims}"].value == 1
        says_yes = {q.text: q.answer == "Yes" for q in Asked(task, 0, 2, N_PEOPLE).questions}
        expected = sum(says_yes.values()) / N_PEOPLE
        assert found[f"public_figures/accuracy_with_hint{dims}"].value == pytest.approx(expected)
        effect = found[f"public_figures/hint_effect{dims}"]
        assert effect.value == pytest.approx(expected - 1)
    rows = table.tables["public_figures_answers"]
    assert rows.filter(pl.col("hint") == "written").height == 3 * N_PEOPLE


def test_knowledge_of_dates_is_told_apart_from_what_follows_from_them():
    """A model that knows half of the dates and always answers yes is right by chance."""
    known = truths()
    half = {figure.name for figure in PEOPLE[::2]}

    def says(prompt):
        asked = last_question(prompt)
        if asked.startswith("When"):
            return known[asked] if asked[9:-6] in half else "Which"
        return "Yes"

    found = scored(says)
    metric = found["public_figures/accuracy_where_known{split=test,task=birth_month_mod_2}"]
    even = [f.birth_date.month % 2 == 0 for f in PEOPLE[::2]]
    assert (metric.n, metric.value) == (len(half), pytest.approx(sum(even) / len(even)))
    pairs = found["public_figures/accuracy_where_known{split=test,task=birth_date_ranking}"]
    assert 0 < pairs.n < len(half)


def test_wordings_are_told_apart():
    known = truths()

    def says(prompt):
        asked = last_question(prompt)
        return known.get(asked, "Which")  # of paraphrases it knows nothing

    found = scored(says, has_paraphrases=True)
    for task in ("birth_date", "birthplace"):
        dims = f"split=train,task={task}"
        accuracies = [
            found[f"public_figures/phrasing_accuracy{{phrasing={k},{dims}}}"].value
            for k in range(4)
        ]
        assert accuracies == [1, 0, 0, 0]
        assert found[f"public_figures/phrasing_agreement{{{dims}}}"].value == 0
    always = scored(lambda _: "Which", has_paraphrases=True)
    assert always["public_figures/phrasing_agreement{split=train,task=birthplace}"].value == 1


def test_fewer_people_are_the_same_ones_in_every_task():
    found = measured(lambda _: "Yes", n_people=7, has_hints=True, has_paraphrases=True)
    assert {metric.n for metric in found.metrics} == {7}
    rows = found.tables["public_figures_answers"]
    people = rows.group_by("task", "hint", "phrasing").agg(pl.col("person").sort())
    assert people["person"].n_unique() == 1


def run(*words):
    config = composed(words)
    return config, execute(config, RunDirectory(config.run_dir))


@pytest.mark.slow
def test_a_physlm_model_scores_the_same_as_its_exported_checkpoint(tmp_path):
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
        "data.exposures=40",
        "runtime.compile=false",
        "eval.public_figures.n_shots=0",
        f"runs_dir={tmp_path}",
    )
    ours, outcome = run(*words)
    corpus = ours.data.build(0)
    weights = Weights(RunDirectory(ours.run_dir).model, outcome.record.origin)
    model = model_of(ours, corpus.vocabulary.size)
    load_weights(model, weights, seq_len=ours.data.seq_len)
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


@pytest.mark.parametrize(
    "kind",
    ["llama", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("gpt_neox", "mamba"))],
)
def test_any_causal_checkpoint_is_measured(tmp_path, kind):
    """With random weights nothing is known, but everything is measured."""
    model, corpus = checkpoint(tmp_path, kind), PublicFiguresConfig().build(0)
    scorer = PublicFiguresScorerConfig(max_new_tokens=4, batch_size=64)
    metrics = scorer.measure(model, corpus).metrics
    assert {(metric.name, metric.dims["task"]) for metric in metrics} == {
        (f"public_figures/{what}", task.name) for task in TASKS for what in ("accuracy", "chance")
    }
    assert by_text(metrics)["public_figures/accuracy{split=test,task=birth_date}"].value == 0
    tokens = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        assert torch.equal(model(tokens), model.model(tokens).logits)


def test_answers_cut_off_while_reasoning_are_counted(tmp_path, capsys):
    save_bytewise(tmp_path)
    model, corpus = load_pretrained(tmp_path), PublicFiguresConfig().build(0)
    scorer = PublicFiguresScorerConfig(n_shots=0, batch_size=len(figures()), max_new_tokens=7)
    saying_this(model, *(["<think>It is", "Yes"] * len(figures()))[: len(figures())])
    metrics = by_text(scorer.measure(model, corpus).metrics)
    share = metrics["public_figures/cut_off{split=test,task=birth_month_mod_2}"].value
    assert share == (len(figures()) + 1) // 2 / len(figures())
    assert "answers were cut off while reasoning" in capsys.readouterr().err
    saying_this(model, "Yes")
    assert not any("cut_off" in m.name for m in scorer.measure(model, corpus).metrics)
    assert "cut off" not in capsys.readouterr().err


def test_a_checkpoint_that_cannot_read_the_questions_is_refused_before_measuring(tmp_path):
    model, corpus = checkpoint(tmp_path, "llama"), PublicFiguresConfig().build(0)
    model.text.longest_window = 100
    with pytest.raises(InputError, match="this model reads 100; lower n_shots"):
        PublicFiguresScorerConfig(n_shots=20).check(model, corpus)
    model.model.resize_token_embeddings(50)
    with pytest.raises(InputError, match="the model only 50"):
        PublicFiguresScorerConfig(n_shots=0).check(model, corpus)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("model.path=nowhere",), "nowhere does not exist"),
        (("model.path=",), "model.path is empty"),
        (("model.path=nowhere", "stage=train"), "cannot be trained; set stage=measure"),
        (("model.path=nowhere", "eval.public_figures.n_shots=-1"), "n_shots=-1"),
        (("model.path=nowhere", "eval.public_figures.n_shots=200"), "n_shots=200; must be at most"),
        (
            (
                "model.path=nowhere",
                "eval.public_figures.has_hints=true",
                "eval.public_figures.n_shots=0",
            ),
            "has_hints=true with n_shots=0",
        ),
        (("model.path=nowhere", "eval.public_figures.n_people=1"), "n_people=1"),
        (("model.path=nowhere", "eval=capacity"), "has its own tokenizer"),
        (("model.path=nowhere", "data=bios"), "has its own tokenizer"),
        (("model.path=nowhere", "init_from='+experiment=people'"), "leave init_from out"),
        (("model=gpt2",), "stage=measure trains nothing"),
        (("model=gpt2", "stage=train", "eval=qa"), "eval=qa needs a corpus of questions"),
        (("model=gpt2", "stage=train", "data=biod"), "use that world"),
    ],
)
def test_unusable_worlds_and_settings_are_refused_in_one_line(tmp_path, words, fault):
    with pytest.raises(InputError, match=fault):
        run("+experiment=turing_facts", *words, f"runs_dir={tmp_path}")


def test_the_run_id_follows_the_content_of_the_checkpoint_folder(tmp_path, monkeypatch):
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


def test_no_run_starts_from_a_run_without_training(tmp_path):
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
