"""Prompts with options: manipulation questions about people, or questions of a file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from physlm.analysis.depth.positions import Positions
from physlm.analysis.lenses.state_pool import Windows
from physlm.data.corpus import Corpus
from physlm.data.files.options import Control, OptionsCorpus, OptionsPrompt
from physlm.data.mixture import part_of
from physlm.data.tasks.manipulation import ManipulationCorpus
from physlm.data.tasks.task import QaItems, Task
from physlm.errors import InputError
from physlm.eval.padding import padded
from physlm.eval.splits import HELD_OUT_PEOPLE, TRAIN_PEOPLE
from physlm.models.language_model import LanguageModel
from physlm.models.pretrained_text import PretrainedText
from physlm.rng import stream

PLAIN, HINT = "plain", "hint"


@dataclass(frozen=True, slots=True, eq=False)
class OptionPrompts:
    """Prompts of one kind, which have equally many options.

    Attributes:
        task: The task, or the subject.
        split: The people that they are about; empty for questions of a file.
        form: ``plain``, ``hint`` after the hint, or the control.
        tokens: Token ids, padded on the right.
        positions: Lengths, and what each prompt is about.
        options: First token of each option.
        answers: Number of the correct option.
    """

    task: str
    split: str
    form: str
    tokens: Int[Tensor, "prompts seq"]
    positions: Positions
    options: Int[Tensor, "prompts options"]
    answers: Int[Tensor, " prompts"]

    @property
    def dims(self) -> dict[str, str]:
        """Their dimensions in metrics."""
        split = {"split": self.split} if self.split else {}
        return {"task": self.task, "form": self.form, **split}


def option_prompts(
    model: LanguageModel, corpus: Corpus, n_most: int
) -> tuple[Windows, list[OptionPrompts]]:
    """Windows to fit a lens on, and prompts about other people, or other questions.

    Args:
        model: The model that reads them.
        corpus: Manipulation tasks, or questions of a file for a checkpoint.
        n_most: Maximum number of prompts of each kind.

    Raises:
        InputError: If the corpus has another kind, or options begin with the same token.
    """
    tasks = part_of(corpus, ManipulationCorpus)
    if tasks is not None:
        return _of_people(tasks, n_most)
    if isinstance(corpus, OptionsCorpus) and model.text is not None:
        return _of_file(corpus, model.text, n_most)
    raise InputError(
        "eval.depth_options measures data=manipulation, and data=options with model=checkpoint"
    )


def _of_people(corpus: ManipulationCorpus, n_most: int) -> tuple[Windows, list[OptionPrompts]]:
    drawn = stream(0, "depth", "people").permutation(corpus.train)
    fitted, analysed = drawn[: len(drawn) // 2], np.sort(drawn[len(drawn) // 2 :])
    rows = [
        row
        for task in corpus.tasks
        for items in [_asked(task, corpus, fitted)]
        for row in _prompts(corpus, items)[PLAIN] + _prompts(corpus, items).get(HINT, [])
    ]
    tokens, lengths = padded(rows, int(corpus.vocabulary.eos))
    places = torch.arange(tokens.shape[1])
    found = [
        prompts
        for task in corpus.tasks
        for split, people in ((TRAIN_PEOPLE, analysed), (HELD_OUT_PEOPLE, corpus.test))
        for prompts in _task_prompts(task, corpus, split, people[:n_most])
    ]
    return Windows(tokens, places < lengths[:, None]), found


def _task_prompts(
    task: Task, corpus: ManipulationCorpus, split: str, people: np.ndarray
) -> Iterator[OptionPrompts]:
    """The questions of a task about the people of a split, in each form."""
    texts, first_tokens = _options(task, corpus)
    items = _asked(task, corpus, people)
    answers = [texts.index(answer) for answer in corpus.texts(items.answer)]
    for form, rows in _prompts(corpus, items).items():
        tokens, lengths = padded(rows, int(corpus.vocabulary.eos))
        about = torch.from_numpy(people)[:, None].expand_as(tokens)
        yield OptionPrompts(
            task=task.name,
            split=split,
            form=form,
            tokens=tokens,
            positions=Positions(lengths=lengths, documents=about),
            options=torch.tensor([first_tokens] * len(rows)),
            answers=torch.tensor(answers),
        )


def _asked(task: Task, corpus: ManipulationCorpus, people: np.ndarray) -> QaItems:
    """A question about each person, compared with the next one where the task needs two."""
    both = np.stack([people, np.roll(people, -1)], axis=1)
    return task.ask(corpus.fact_table, both[:, : task.n_people])


def _prompts(corpus: ManipulationCorpus, items: QaItems) -> dict[str, list[np.ndarray]]:
    """The questions in each form that the model was trained on."""
    found = {PLAIN: corpus.prompts(items, wants_hint=False)}
    if corpus.config.hint_fraction and items.hint:
        found[HINT] = corpus.prompts_with_hint(items, items.hint)
    return found


def _options(task: Task, corpus: ManipulationCorpus) -> tuple[list[str], list[int]]:
    """All answers to the task, and the first token of each.

    Raises:
        InputError: If two answers begin with one token.
    """
    items = _asked(task, corpus, np.arange(corpus.fact_table.n_people))
    pieces = corpus.fact_table.pieces
    first = {
        text: int(pieces.join(row)[0])
        for text, row in zip(
            corpus.texts(items.answer), np.column_stack(items.answer).tolist(), strict=True
        )
    }
    _require_apart(list(first.values()), f"answers to {task.name}", list(first))
    texts = sorted(first, key=lambda text: (len(text), text))  # 2 before 10
    return texts, [first[text] for text in texts]


def _of_file(
    corpus: OptionsCorpus, text: PretrainedText, n_most: int
) -> tuple[Windows, list[OptionPrompts]]:
    """The examples for the lens, and the other questions in each form."""
    is_fitted = corpus.is_example
    plain = [p for p in corpus.prompts if p.control is Control.none and is_fitted[p.question]]
    others = [p for p in corpus.prompts if not is_fitted[p.question]]
    if not plain or not others:
        raise InputError(
            f"data=options has {len(is_fitted)} questions, and {int(is_fitted.sum())} of them are "
            "examples, on which the lens is fitted; both parts need at least one; give more "
            "questions or lower data.n_shots"
        )
    tokens, lengths = padded([np.array(_read(p, text)[0]) for p in plain])
    places = torch.arange(tokens.shape[1])

    def kind(prompt: OptionsPrompt) -> tuple[str, int]:
        return prompt.control.value, len(prompt.options)

    groups = groupby(sorted(others, key=kind), kind)
    found = [_file_prompts(list(own)[:n_most], text, *key) for key, own in groups]
    return Windows(tokens, places < lengths[:, None]), found


def _file_prompts(
    prompts: Sequence[OptionsPrompt], text: PretrainedText, control: str, n_options: int
) -> OptionPrompts:
    read = [_read(prompt, text) for prompt in prompts]
    tokens, lengths = padded([np.array(row) for row, _ in read])
    about = torch.tensor([prompt.question for prompt in prompts])[:, None].expand_as(tokens)
    return OptionPrompts(
        task=f"options_{n_options}",
        split="",
        form=PLAIN if control == Control.none.value else control,
        tokens=tokens,
        positions=Positions(lengths=lengths, documents=about),
        options=torch.tensor([options for _, options in read]),
        answers=torch.tensor([prompt.answer for prompt in prompts]),
    )


def _read(prompt: OptionsPrompt, text: PretrainedText) -> tuple[list[int], list[int]]:
    """Token ids of a prompt, and the token of each option.

    Tokens that all options begin with, such as a mark of a space, belong to the prompt.

    Raises:
        InputError: If an option has several further tokens, or two options share one.
    """
    rows = [text.encode_plain(option) for option in prompt.options]
    shared = rows[0][:-1]
    for row, option in zip(rows, prompt.options, strict=True):
        if row[:-1] != shared:
            raise InputError(
                f"option{option!r} has {len(row)} tokens in this model; options must be one token, "
                "such as letters; use others"
            )
    _require_apart([row[-1] for row in rows], "options", prompt.options)
    return text.tokens_of(prompt.text) + shared, [row[-1] for row in rows]


def _require_apart(tokens: Sequence[int], what: str, texts: Sequence[str]) -> None:
    """Require options that differ in their first token."""
    for i, token in enumerate(tokens):
        if token in tokens[:i]:
            pair = f"{texts[tokens.index(token)]!r} and {texts[i]!r}"
            raise InputError(f"{what} {pair} begin with the same token; use others")
