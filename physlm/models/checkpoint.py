"""Any causal model in a local `transformers` folder, with its own tokenizer, measured as it is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from torch import Tensor

from physlm.errors import InputError
from physlm.models.language_model import LanguageModel, ModelConfig
from physlm.models.pretrained_weights import require_checkpoint

_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json")
_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
# What a folder may set for generation, and greedy decoding has not.
_GREEDY = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0}


class WeightFormat(str, Enum):
    """Of a checkpoint's weights in memory."""

    fp32 = "fp32"
    bf16 = "bf16"


_DTYPES = {WeightFormat.fp32: torch.float32, WeightFormat.bf16: torch.bfloat16}


@dataclass(kw_only=True, slots=True)
class CheckpointConfig(ModelConfig):
    """A published model, measured as it is."""

    path: str = ""  # a folder with config.json, *.safetensors and a tokenizer
    weights: WeightFormat = WeightFormat.fp32

    def validate(self) -> None:
        """Every value in its range."""
        if self.path:  # one folder has one name, wherever the command was given
            self.path = str(Path(self.path).resolve())

    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> "Checkpoint":  # noqa: ARG002
        """The model of the folder; its tokens are its own, not those of the corpus.

        Raises:
            InputError: If the folder holds no checkpoint of a causal model.
        """
        if not self.path:
            raise InputError("model.path is empty; give the folder of a transformers checkpoint")
        return Checkpoint(Path(self.path), _DTYPES[self.weights])


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
        from transformers import AutoModelForCausalLM, AutoTokenizer

        require_checkpoint(folder)
        if not any((folder / name).is_file() for name in _TOKENIZERS):
            raise InputError(f"{folder} has no tokenizer.json; save the model's tokenizer there")
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self.model: Any = AutoModelForCausalLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=dtype
            )
        except (OSError, ValueError, SafetensorError) as error:
            raise InputError(f"{folder}: {' '.join(str(error).split())}") from error
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token is None:
            if self.tokenizer.eos_token is None:
                raise InputError(f"{folder}: its tokenizer has neither a pad nor an eos token")
            self.tokenizer.pad_token = self.tokenizer.eos_token
        config = self.model.config.get_text_config()
        self.vocabulary_size = config.vocab_size
        self.longest_window = getattr(config, "max_position_embeddings", None)
        self.eval()
        if not self._is_causal():
            raise InputError(f"{folder}: {type(self.model).__name__} reads on both sides")

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
        """The model has the tokens of these texts, and positions for them and what follows.

        Raises:
            InputError: If it has not.
        """
        rows = [self.tokenizer(self._asked(text), **self._special)["input_ids"] for text in texts]
        longest, largest = max(map(len, rows)) + max_tokens, max(map(max, rows))
        if self.longest_window is not None and longest > self.longest_window:
            raise InputError(
                f"questions and answers have up to {longest} tokens, this model reads "
                f"{self.longest_window}; lower n_shots or max_new_tokens"
            )
        n_embedded = self.model.get_input_embeddings().num_embeddings
        if largest >= n_embedded:
            raise InputError(f"its tokenizer has token {largest}, the model only {n_embedded}")

    @torch.inference_mode()
    def write(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        """What the model writes after each prompt, or in answer to it if it is made for chats.

        Args:
            prompts: Read together.
            max_tokens: Of each answer.
            temperature: Of sampling; 0 takes the likeliest token, whatever the folder says.
            seed: Of sampling.
        """
        texts = [self._asked(prompt) for prompt in prompts]
        read = self.tokenizer(texts, return_tensors="pt", padding=True, **self._special)
        read = read.to(self.device)
        sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else _GREEDY
        with torch.random.fork_rng(devices=[0] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            written = self.model.generate(
                **read, **sampling, max_new_tokens=max_tokens,
                pad_token_id=self.tokenizer.pad_token_id,
            )  # fmt: skip
        answers = written[:, read["input_ids"].shape[1] :]
        said: list[str] = self.tokenizer.batch_decode(answers, skip_special_tokens=True)
        return [_THOUGHT.sub("", text) for text in said]

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
            enable_thinking=False,
        )  # fmt: skip
        return chat

    @torch.inference_mode()
    def _is_causal(self) -> bool:
        """Whether another second token leaves the scores after the first one as they are."""
        first, second = self(torch.tensor([[0, 0], [0, 1]]))[:, 0]
        return bool(torch.allclose(first, second, atol=1e-3))
