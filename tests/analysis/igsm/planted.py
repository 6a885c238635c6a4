"""A model whose last states spell the answers to probe queries."""

import torch

from physlm.data.tasks.igsm.language import MARKS, WORDS
from physlm.models.architecture import DecoderConfig
from physlm.models.decoder import Decoder
from tests.analysis.igsm.brute_force import NOTHING, Reading

END = len(WORDS) + MARKS.index("<end>")
BINARY = ("nece", "dep", "known", "can_next", "nece_next")
WIDTH = 64


class Planted(Decoder):
    """Correct answers, or others, at every ``<end>``, in state ``since`` and all later ones."""

    def __init__(self, corpus, *, n_layers=1, since=0, answer=Reading.label):
        config = DecoderConfig(d_model=WIDTH, n_layers=n_layers, n_heads=2, mlp_ratio=1)
        super().__init__(config, corpus.vocabulary.size, corpus.config.seq_len, 0)
        self.since, self.answer, self.n_read = since, answer, 0

    def hidden_states(self, tokens, segments=None):
        return self.spelt(tokens)

    def residuals(self, tokens, states=None, segments=None):
        return torch.stack([self.spelt(tokens) * (state >= self.since) for state in states])

    def spelt(self, tokens):
        self.n_read += tokens.numel()
        states = torch.zeros(*tokens.shape, WIDTH)
        for i, row in enumerate(tokens.tolist()):
            reading = Reading(row[: row.index(END) + 1])
            for feature in self.features(reading):
                states[i, row.index(END), feature] = 5.0
        return states

    def features(self, reading):
        """Numbers of the coordinates that are not zero, for all tasks that can be asked."""
        if len(reading.names) > 1:
            tasks = ["dep"]
        else:
            tasks = ["known", "can_next", "nece_next"] if reading.has_solution else ["nece"]
        for task in tasks:
            yield 2 * BINARY.index(task) + self.answer(reading, task)
        if reading.has_solution:
            value = self.answer(reading, "value")
            yield WIDTH - 1 - (value if value < NOTHING else NOTHING)
