"""Questions of a run's world as tasks of lm-evaluation-harness, which scores them as physlm does.

A task is a YAML file and its questions as JSON lines. The paths in it are relative to the exported
folder, so that it may be moved; `lm_eval` is started there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from physlm.data.corpus import Corpus
from physlm.data.mixture import part_of
from physlm.data.people.questions import QuestionCorpus
from physlm.data.tasks.manipulation import ManipulationCorpus
from physlm.data.tokens import END_OF_TEXT, Vocabulary
from physlm.eval.people.exact_match import all_questions
from physlm.eval.people.qa import QaConfig
from physlm.eval.scorer import ScorerConfig
from physlm.eval.splits import HELD_OUT_PEOPLE, TRAIN_PEOPLE
from physlm.eval.tasks.manipulation import ManipulationScorerConfig
from physlm.eval.tasks.questions import accepted_answers, most_new_tokens, questions_of, splits
from physlm.measurement import metric_text

FOLDER = "lm_eval"  # in an exported folder
_ENDINGS = {HELD_OUT_PEOPLE: "", TRAIN_PEOPLE: "_train_people"}


class HarnessTask(NamedTuple):
    """A task of lm-evaluation-harness.

    Attributes:
        name: As given to ``--tasks``.
        metric: The text of the metric of physlm that the accuracy equals.
        max_new_tokens: Of an answer, its end included.
        rows: ``prompt``, the accepted ``answers``, what is ``asked``, and of QA the ``person``.
    """

    name: str
    metric: str
    max_new_tokens: int
    rows: list[dict[str, Any]]


def harness_tasks(corpus: Corpus, scorers: Mapping[str, ScorerConfig]) -> list[HarnessTask]:
    """The questions of a corpus, held-out people first; none if it has no questions.

    Args:
        corpus: Of the run.
        scorers: Of the run; those of questions say how many are asked.
    """
    if (questions := part_of(corpus, QuestionCorpus)) is not None:
        own = [scorer for scorer in scorers.values() if isinstance(scorer, QaConfig)]
        return [_qa(questions, split, own[0] if own else QaConfig()) for split in _ENDINGS]
    if (manipulation := part_of(corpus, ManipulationCorpus)) is not None:
        found = [s for s in scorers.values() if isinstance(s, ManipulationScorerConfig)]
        scorer = found[0] if found else ManipulationScorerConfig()
        return list(_manipulation(manipulation, scorer.max_questions))
    return []


def write_tasks(tasks: Sequence[HarnessTask], folder: Path) -> None:
    """Write the tasks into the folder of an exported run."""
    (folder / FOLDER).mkdir()
    for task in tasks:
        lines = (json.dumps(row, ensure_ascii=False) for row in task.rows)
        text = "".join(f"{line}\n" for line in lines)
        (folder / FOLDER / f"{task.name}.jsonl").write_text(text, encoding="utf-8")
        text = yaml.safe_dump(_description(task), sort_keys=False)
        (folder / FOLDER / f"{task.name}.yaml").write_text(text, encoding="utf-8")


def _description(task: HarnessTask) -> dict[str, Any]:
    """The task in the harness's own format."""
    steps = [{"function": "remove_whitespace"}, {"function": "take_first"}]
    return {
        "task": task.name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{FOLDER}/{task.name}.jsonl"}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "prompt",
        "doc_to_target": "answers",
        "generation_kwargs": {
            "until": [END_OF_TEXT],
            "max_gen_toks": task.max_new_tokens,
            "do_sample": False,
        },
        "filter_list": [{"name": "whole_answer", "filter": steps}],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0},
    }


def _qa(questions: QuestionCorpus, split: str, scorer: QaConfig) -> HarnessTask:
    people, attributes = all_questions(scorer.people(questions, split), questions)
    prompts = questions.prompts(people, attributes, np.zeros(len(people), dtype=np.int64))
    rows = [
        {
            "prompt": _text(questions.vocabulary, prompt),
            "answers": [questions.answer(person, attribute)],
            "asked": questions.attributes[attribute],
            "person": int(person),
        }
        for prompt, person, attribute in zip(prompts, people, attributes, strict=True)
    ]
    name = f"physlm_qa{_ENDINGS[split]}"
    metric = metric_text("qa/exact_match", {"split": split})
    return HarnessTask(name, metric, questions.longest_answer + 1, rows)


def _manipulation(corpus: ManipulationCorpus, n_most: int) -> Iterator[HarnessTask]:
    for task in corpus.tasks:
        longest = most_new_tokens(task, corpus, writes_hint=False)
        for split, people in reversed(splits(task, corpus)):
            items = questions_of(task, corpus, people, split, n_most)
            prompts = corpus.prompts(items, wants_hint=False)
            rows = [
                {
                    "prompt": _text(corpus.vocabulary, prompt),
                    "answers": sorted(answers),
                    "asked": task.name,
                }
                for prompt, answers in zip(
                    prompts, accepted_answers(task, corpus, items), strict=True
                )
            ]
            name = f"physlm_{task.name}{_ENDINGS[split]}"
            metric = metric_text("manipulation/accuracy", {"split": split, "task": task.name})
            yield HarnessTask(name, metric, longest, rows)


def _text(vocabulary: Vocabulary, prompt: np.ndarray) -> str:
    """A prompt without its end-of-text, which the exported tokenizer adds."""
    return vocabulary.decode(prompt[1:])
