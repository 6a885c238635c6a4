"""What a reasoning model writes before its answer, and the answer without it."""

import re

# Words around thoughts, of models that anyone can run.
_AROUND = (
    ("<think>", "</think>"),  # DeepSeek-R1, Qwen3, and most others
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),  # Magistral
    ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),  # gpt-oss
)
_BEGIN = re.compile("|".join(re.escape(first) for first, _ in _AROUND), re.IGNORECASE)
_END = re.compile("|".join(re.escape(last) for _, last in _AROUND), re.IGNORECASE)


def without_thoughts(text: str, *, is_thinking: bool = False) -> str | None:
    """The answer in what a model wrote; None if it was cut off before its thoughts ended.

    Args:
        text: With the special tokens of its tokenizer, which some models have around thoughts.
        is_thinking: What the model was asked ends within a thought, so that only the word after it
            is in the text.
    """
    *thoughts, rest = _END.split(text)
    before, *cut_off = _BEGIN.split(rest, maxsplit=1)
    if cut_off or (is_thinking and not thoughts):
        return None
    return before


def ends_within_thoughts(asked: str) -> bool:
    """Whether a chat template begins the thoughts that the model is to go on with."""
    return any(found.end() == len(asked.rstrip()) for found in _BEGIN.finditer(asked))
