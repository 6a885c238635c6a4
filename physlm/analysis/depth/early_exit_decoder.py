"""Generation in which tokens leave the model before its last block."""

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from physlm.analysis.depth.exit_rule import ExitCriterion, ExitRule
from physlm.analysis.depth.exit_state import ExitState
from physlm.analysis.lenses.lens import Lens
from physlm.errors import InputError
from physlm.models.block import Block, require_no_convolutions
from physlm.models.context import Context
from physlm.models.decoder import Decoder
from physlm.models.language_model import LanguageModel, chosen
from physlm.models.state import DecodingState, Place


class EarlyExitDecoder(LanguageModel):
    """A decoder whose tokens leave at a state from which a lens predicts the next one.

    ``generate`` takes it like any model. Of a batch, only the rows that have not left yet go on to
    the next block. Later tokens that go deeper attend to tokens that left; their keys and values in
    the blocks that they did not pass are computed from the state at which they left, by the
    projections alone. That is an approximation, and exact only if no token leaves early. It is
    computed when a later token first needs it, for all tokens that left by then at once: small
    models are bound by the number of operations rather than their size.

    Prompts are read by all blocks that a token can reach, and the first new token is read from the
    last of them. ``n_left`` counts the tokens that left at each state, without those of prompts.

    Args:
        lens: Reads next-token scores from the states of a decoder of physlm.
        rule: At which states tokens leave.

    Attributes:
        model: The whole decoder.
        lens: The lens.
        rule: The rule.
        n_left: Tokens that left at each state, since the decoder was built.

    Raises:
        InputError: If the model is not a decoder of physlm, has no such state, or has convolutions
            (Canon layers), which read every token.

    Source:
        Schuster et al. (2022), Confident Adaptive Language Modeling, for propagated states.
    """

    def __init__(self, lens: Lens, rule: ExitRule) -> None:
        super().__init__()
        if not isinstance(lens.model, Decoder):
            raise InputError("early exit needs a decoder of physlm, and this model is not one")
        chosen(rule.states, lens.model.n_layers + 1, "state")
        for block in lens.model.blocks:
            assert isinstance(block, Block)
            require_no_convolutions(block)
        self.model, self.lens, self.rule = lens.model, lens, rule
        self.vocabulary_size = self.model.vocabulary_size
        self.longest_window = self.model.longest_window
        exits = rule.states[:1] if rule.criterion is None else (*rule.states, self.model.n_layers)
        self.n_left = dict.fromkeys(exits, 0)

    @property
    def n_layers(self) -> int:
        """Number of blocks of the whole model."""
        return self.model.n_layers

    @property
    def mean_blocks(self) -> float:
        """Blocks that a token has passed, on average.

        Raises:
            InputError: If no token has been decoded.
        """
        n = sum(self.n_left.values())
        if not n:
            raise InputError("no token has been decoded yet; generate text first")
        return sum(state * count for state, count in self.n_left.items()) / n

    def forward(
        self, tokens: Int[Tensor, "batch seq"], segments: Int[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq vocab"]:
        """Scores of given texts, read token by token as in generation; the first is a prompt.

        Raises:
            InputError: If there are segments.
        """
        if segments is not None:
            raise InputError("early exit reads one text per row; give no segments")
        n_batch, seq_len = tokens.shape
        one = torch.ones(n_batch, dtype=torch.long, device=tokens.device)
        first, state = self.prefill(tokens[:, :1], one, seq_len)
        rest = [self.decode(tokens[:, t], state) for t in range(1, seq_len)]
        return torch.stack([first, *rest], dim=1)

    def prefill(
        self, prompts: Int[Tensor, "batch seq"], lengths: Int[Tensor, " batch"], n_positions: int
    ) -> tuple[Float[Tensor, "batch vocab"], ExitState]:
        """Read whole prompts; see ``LanguageModel.prefill``."""
        *_, deepest = self.n_left
        blocks = self.model.new_states()[:deepest]
        window = self.model.config.attention_window
        state = ExitState(blocks, lengths, n_positions=n_positions, window=window)
        return self.lens.logits(self.model.read(prompts, state), deepest), state

    def decode(
        self, tokens: Int[Tensor, " batch"], state: DecodingState
    ) -> Float[Tensor, "batch vocab"]:
        """Next-token scores after one more token per row, each read where the row leaves."""
        assert isinstance(state, ExitState)
        going, rows, scores = _Going(*self.model.next(tokens, state)), [], []
        for first, last in pairwise((0, *self.n_left)):
            state.catch_up(self.model, first, last)
            going.x = self.model.run(going.x, going.context, first=first, last=last)
            own = self.lens.logits(going.x[:, 0], last)
            leaves = self._leaves(going, own, last)
            leaving = leaves.nonzero()[:, 0]
            self.n_left[last] += len(leaving)
            is_end = len(leaving) == len(leaves)
            if len(leaving):
                left = going if is_end else going.part(leaving)
                state.leave(last, left.place, left.x)
                rows.append(left.place.rows)
                scores.append(own if is_end else own[leaving])
            if is_end:
                break
            if len(leaving):
                going = going.part((~leaves).nonzero()[:, 0])
        state.advance()
        return scores[0] if len(scores) == 1 else torch.cat(scores)[torch.cat(rows).argsort()]

    def _leaves(
        self, going: "_Going", scores: Float[Tensor, "rows vocab"], state: int
    ) -> Bool[Tensor, " rows"]:
        """Which rows leave at a state; all at the last one that can be reached."""
        criterion, threshold = self.rule.criterion, self.rule.threshold
        if criterion is None or state == self.n_layers:
            return torch.ones(len(scores), dtype=torch.bool, device=scores.device)
        if criterion == ExitCriterion.probability:
            return scores.softmax(dim=-1).amax(dim=-1) >= threshold
        if criterion == ExitCriterion.entropy:
            entropy: Tensor = torch.special.entr(scores.softmax(dim=-1)).sum(dim=-1)
            return entropy <= threshold
        going.top1.append(scores.argmax(dim=-1))
        n_equal = math.ceil(threshold)
        recent = torch.stack(going.top1[-n_equal:])
        is_equal: Tensor = (recent == recent[-1]).all(dim=0)
        return is_equal & (len(recent) >= n_equal)


@dataclass(slots=True)
class _Going:
    """The rows that have not left yet.

    Attributes:
        x: Their residual stream.
        context: The context in which blocks read them.
        top1: Their top-1 token at each candidate state so far, where the criterion needs it.
    """

    x: Float[Tensor, "rows 1 width"]
    context: Context
    top1: list[Tensor] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """Their rows and positions."""
        assert self.context.place is not None
        return self.context.place

    def part(self, rows: Int[Tensor, " part"]) -> "_Going":
        """Some of the rows."""
        context = replace(self.context, place=self.place.part(rows))
        return _Going(self.x[rows], context, [one[rows] for one in self.top1])
