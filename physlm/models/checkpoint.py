"""Any causal model in a local `transformers` folder, with its own tokenizer, measured as it is."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from physlm.errors import InputError
from physlm.models.language_model import LanguageModel, ModelConfig
from physlm.models.pretrained_weights import (
    load_pretrained,
    reading,
    require_checkpoint,
    transformers,
)
from physlm.models.thoughts import ends_within_thoughts, without_thoughts
from physlm.registry import register
from physlm.sources import SOURCE, located, pinned

_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json")
# Some chat templates tell the model what day it is; a result must not depend on when it was made.
_ONE_DAY = "{% macro strftime_now(format) %}26 Jul 2024{% endmacro %}"


class WeightFormat(str, Enum):
    """Of a checkpoint's weights in memory."""

    fp32 = "fp32"
    bf16 = "bf16"


_DTYPES = {WeightFormat.fp32: torch.float32, WeightFormat.bf16: torch.bfloat16}


@register("model", "checkpoint")
@dataclass(kw_only=True, slots=True)
class CheckpointConfig(ModelConfig):
    """A published model, measured as it is."""

    path: str = field(default="", metadata=SOURCE)  # with config.json, *.safetensors, a tokenizer
    weights: WeightFormat = WeightFormat.fp32

    def validate(self) -> None:
        """Every value in its range."""
        if self.path:
            self.path = pinned(self.path)

    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> "Checkpoint":  # noqa: ARG002
        """The model of the folder; its tokens are its own, not those of the corpus.

        Raises:
            InputError: If the folder holds no checkpoint of a causal model.
            ValueError: If there is no such folder, or it has changed since it was named.
        """
        if not self.path:
            raise InputError("model.path is empty; give the folder of a transformers checkpoint")
        return Checkpoint(located(self.path), _DTYPES[self.weights])


class Checkpoint(LanguageModel):
    """A causal model of `transformers` that reads and writes text.

    Args:
        folder: Of the checkpoint.
        dtype: Of its weights in memory; ``auto`` is that of the files.

    Raises:
        InputError: If the folder holds no checkpoint of a causal model with its tokenizer.
    """

    def __init__(self, folder: Path, dtype: torch.dtype | str = "auto") -> None:
        super().__init__()
        library = transformers()
        require_checkpoint(folder)
        if not any((folder / name).is_file() for name in _TOKENIZERS):
            raise InputError(f"{folder} has no tokenizer.json; save the model's tokenizer there")
        with reading(folder):
            self.tokenizer = library.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            self._asked("")
        self.model: Any = load_pretrained(folder, dtype)
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token is None:
            if self.tokenizer.eos_token is None:
                raise InputError(f"{folder}: its tokenizer has neither a pad nor an eos token")
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.ends = _ends(self.model.generation_config, self.tokenizer)
        config = self.model.config.get_text_config()
        self.vocabulary_size = config.vocab_size
        self.longest_window = getattr(config, "max_position_embeddings", None)
        self.eval()
        self._require_causal(folder)

    def forward(
        self,
        tokens: Int[Tensor, "batch seq"],
        is_visible: Bool[Tensor, "batch seq seq"] | None = None,
    ) -> Float[Tensor, "batch seq vocab"]:
        """Unnormalised next-token scores over the checkpoint's own tokens.

        Raises:
            InputError: If sight is restricted, which no checkpoint can be asked for.
        """
        if is_visible is not None:
            raise InputError("a checkpoint sees every token up to its own; leave is_visible out")
        logits: Tensor = self.model(tokens).logits
        return logits

    def require_reads(self, texts: Sequence[str], max_tokens: int) -> None:
        """The tokenizer knows what is in the questions, and the model reads and answers them.

        Raises:
            InputError: If one does not.
        """
        for text, row in zip(texts, self._rows(texts), strict=True):
            if _letters(text) not in _letters(read := self.tokenizer.decode(row)):
                raise InputError(
                    f"its tokenizer reads {text[-60:]!r} as {read[-60:]!r}; save the whole "
                    "tokenizer in the checkpoint's folder"
                )
        self.require_fits(texts, max_tokens, "lower n_shots or max_new_tokens")

    def require_fits(self, texts: Sequence[str], max_tokens: int, remedy: str) -> None:
        """The model has the tokens of these texts, and positions for them and what follows.

        Args:
            texts: That the model will be asked.
            max_tokens: Of each answer.
            remedy: What makes texts and answers shorter, for the error.

        Raises:
            InputError: If it has not.
        """
        rows = self._rows(texts)
        longest, largest = max(map(len, rows)) + max_tokens, max(map(max, rows))
        if self.longest_window is not None and longest > self.longest_window:
            raise InputError(
                f"questions and answers have up to {longest} tokens, this model reads "
                f"{self.longest_window}; {remedy}"
            )
        largest = max(largest, self.tokenizer.pad_token_id)
        n_embedded = self.model.get_input_embeddings().num_embeddings
        if largest >= n_embedded:
            raise InputError(
                f"its tokenizer has token {largest}, the model only {n_embedded}; save the "
                "tokenizer of this model in its folder"
            )

    def write(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        """What `answers` gives, with nothing for an answer that was cut off in its thoughts."""
        answers = self.answers(prompts, max_tokens=max_tokens, temperature=temperature, seed=seed)
        return [answer or "" for answer in answers]

    @torch.inference_mode()
    def answers(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[str | None]:
        """What the model writes after each prompt, or in answer to it if it is made for chats.

        An answer ends at any of the tokens by which ``generation_config.json``, or the tokenizer,
        says that it does. Nothing else of how the folder would have the model decode is followed.

        Args:
            prompts: Read together.
            max_tokens: Of each answer, thoughts included.
            temperature: Of sampling among all tokens; 0 takes the likeliest one.
            seed: Of sampling.

        Returns:
            Texts without thoughts; None where the model was still thinking after ``max_tokens``.
        """
        texts = [self._asked(prompt) for prompt in prompts]
        read = self.tokenizer(texts, return_tensors="pt", padding=True, **self._special)
        read = read.to(self.device)
        with torch.random.fork_rng(devices=[0] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            decoding = self._decoding(max_tokens, temperature)
            written = self.model.generate(**read, generation_config=decoding)
        new = written[:, read["input_ids"].shape[1] :]
        plain: list[str] = self.tokenizer.batch_decode(new, skip_special_tokens=True)
        whole: list[str] = self.tokenizer.batch_decode(new, skip_special_tokens=False)
        return [self._answer(*found) for found in zip(texts, plain, whole, strict=True)]

    def _decoding(self, max_tokens: int, temperature: float) -> Any:
        """All that decides decoding; what it does not say, the library takes from the folder."""
        settings = transformers().GenerationConfig
        self.model.generation_config = settings()
        sampling = {"temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature else {}
        return settings(
            do_sample=temperature > 0, num_beams=1, max_new_tokens=max_tokens,
            eos_token_id=self.ends, pad_token_id=self.tokenizer.pad_token_id, **sampling,
        )  # fmt: skip

    def _answer(self, asked: str, plain: str, whole: str) -> str | None:
        """What was written without special tokens and without thoughts."""
        answer = without_thoughts(whole, is_thinking=ends_within_thoughts(asked))
        if answer is None or answer == whole:
            return None if answer is None else plain
        for token in self.tokenizer.all_special_tokens:
            answer = answer.replace(token, "")
        return answer

    def _rows(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, as the model is asked."""
        return [self.tokenizer(self._asked(text), **self._special)["input_ids"] for text in texts]

    @property
    def _special(self) -> dict[str, bool]:
        """A chat template writes special tokens itself."""
        return {"add_special_tokens": not self.tokenizer.chat_template}

    def _asked(self, prompt: str) -> str:
        """The prompt, as the model's chat template has it if there is one."""
        if not self.tokenizer.chat_template:
            return prompt
        chat: str = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True,
            enable_thinking=False, chat_template=_ONE_DAY + self.tokenizer.get_chat_template(),
        )  # fmt: skip
        return chat

    @torch.inference_mode()
    def _require_causal(self, folder: Path) -> None:
        """Another second token leaves the scores after the first one as they are."""
        kind = type(self.model).__name__
        with reading(folder):
            first, second = self(torch.tensor([[0, 0], [0, 1]]))[:, 0]
        if not (first.isfinite().all() and second.isfinite().all()):
            raise InputError(f"{folder}: {kind} computes NaN or infinity; try model.weights=fp32")
        if not torch.allclose(first, second, atol=1e-3):
            raise InputError(f"{folder}: {kind} reads on both sides; give a causal model")


def _ends(decoding: Any, tokenizer: Any) -> list[int] | None:
    """The tokens that end an answer."""
    told = decoding.eos_token_id
    ends = {*(told if isinstance(told, list) else [told]), tokenizer.eos_token_id}
    return sorted(ends - {None}) or None


def _letters(text: str) -> str:
    """What tokenizers keep of a text: not its accents, its case and its white space."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if letter.isalnum())
