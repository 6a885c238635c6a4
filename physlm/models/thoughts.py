"""The thoughts that a reasoning model writes before its answer, and the answer without them."""

import re

# Tags around thoughts, of models with open weights.
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
        text: Text with the tokenizer's special tokens, which some models use as tags of thoughts.
        is_thinking: Whether the prompt ends within a thought, so that the text holds the closing
            tag only.
    """
    *thoughts, rest = _END.split(text)
    before, *cut_off = _BEGIN.split(rest, maxsplit=1)
    if cut_off or (is_thinking and not thoughts):
        return None
    return before


def ends_within_thoughts(prompt: str) -> bool:
    """Whether a prompt ends with an opening tag of thoughts, as some chat templates write it."""
    return any(found.end() == len(prompt.rstrip()) for found in _BEGIN.finditer(prompt))
