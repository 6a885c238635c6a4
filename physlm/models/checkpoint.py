"""Any causal model in a local `transformers` folder, with its own tokenizer, measured as it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from physlm.errors import InputError
from physlm.models.language_model import LanguageModel, ModelConfig


class Precision(str, Enum):
    """Of a checkpoint's weights in memory."""

    float32 = "float32"
    bfloat16 = "bfloat16"


@dataclass(kw_only=True, slots=True)
class CheckpointConfig(ModelConfig):
    """A published model, measured as it is."""

    path: str = ""  # a folder with config.json, *.safetensors and a tokenizer
    precision: Precision = Precision.float32

    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> "Checkpoint":  # noqa: ARG002
        """The model of the folder; its tokens are its own, not those of the corpus.

        Raises:
            InputError: If the folder holds no checkpoint of a causal model.
        """
        if not self.path:
            raise InputError("model.path is empty; give the folder of a transformers checkpoint")
        return Checkpoint(Path(self.path), getattr(torch, self.precision.value))


class Checkpoint(LanguageModel):
    """A causal model of `transformers` that reads and writes text.

    Args:
        folder: Of the checkpoint.
        dtype: Of its weights in memory.

    Raises:
        InputError: If the folder holds no checkpoint of a causal model.
    """

    def __init__(self, folder: Path, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if not (folder / "config.json").is_file():
            raise InputError(f"{folder} has no config.json; give the folder of a checkpoint")
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self.model: Any = AutoModelForCausalLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=dtype
            )
        except (OSError, ValueError) as error:
            raise InputError(f"{folder}: {' '.join(str(error).split())}") from error
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.vocabulary_size = self.model.config.vocab_size
        self.eval()

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

    @torch.inference_mode()
    def write(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        """What the model writes after each prompt, or in answer to it if it is made for chats.

        Args:
            prompts: Read together.
            max_tokens: Of each answer.
            temperature: Of sampling; 0 takes the likeliest token.
            seed: Of sampling.
        """
        if self.tokenizer.chat_template:
            prompts = [self._as_chat(prompt) for prompt in prompts]
        read = self.tokenizer(list(prompts), return_tensors="pt", padding=True).to(self.device)
        sampling = {"temperature": temperature} if temperature > 0 else {}
        with torch.random.fork_rng(devices=[0] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            written = self.model.generate(
                **read, **sampling, max_new_tokens=max_tokens, do_sample=temperature > 0,
                pad_token_id=self.tokenizer.pad_token_id,
            )  # fmt: skip
        answers = written[:, read["input_ids"].shape[1] :]
        texts: list[str] = self.tokenizer.batch_decode(answers, skip_special_tokens=True)
        return texts

    def _as_chat(self, prompt: str) -> str:
        said = [{"role": "user", "content": prompt}]
        chat: str = self.tokenizer.apply_chat_template(
            said, tokenize=False, add_generation_prompt=True
        )
        return chat
