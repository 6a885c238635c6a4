"""Models whose distribution is known: the grammar's own, and the uniform one."""

import numpy as np
import torch
from torch import nn

from physlm.models.language_model import LanguageModel
from physlm.models.state import DecodingState


class Reading(LanguageModel):
    """Scores the next token from all that was read, by ``_next``."""

    def __init__(self, vocabulary):
        super().__init__()
        self.vocabulary_size = vocabulary.size
        self.unused = nn.Parameter(torch.zeros(1))

    def prefill(self, prompts, lengths, n_positions):
        cache = Read([row[:n].tolist() for row, n in zip(prompts, lengths, strict=True)])
        return self._next(cache), cache

    def decode(self, tokens, cache):
        for row, token in zip(cache.rows, tokens.tolist(), strict=True):
            row.append(token)
        return self._next(cache)


class Oracle(Reading):
    """The true next-token distribution; end-of-text where no string continues so."""

    def __init__(self, corpus):
        super().__init__(corpus.vocabulary)
        self.corpus = corpus

    def forward(self, tokens, segments=None):
        return torch.stack([self._scores(row) for row in tokens])

    def _next(self, cache):
        return torch.stack([self._scores(torch.tensor(row))[-1] for row in cache.rows])

    def _scores(self, row):
        """Log-probabilities after each token of end-of-text and a string."""
        eos = self.corpus.vocabulary.eos
        string = self.corpus.string(row[1:][row[1:] != eos].numpy())
        sound = string[: self.corpus.grammar.longest_valid_prefix(string)]
        with np.errstate(divide="ignore"):
            logs = np.log(np.roll(self.corpus.grammar.next_token_distribution(sound), -1, axis=1))
        scores = torch.full((len(row), self.vocabulary_size), -1e9)
        scores[:, eos] = 0.0
        scores[: len(logs)] = torch.from_numpy(np.maximum(logs, -1e9)).float()
        return scores


class Uniform(Oracle):
    def _scores(self, row):
        return torch.zeros(len(row), self.vocabulary_size)


class Read(DecodingState):
    """The rows an oracle has read."""

    def __init__(self, rows):  # of a cache only what generation asks for
        self.rows = rows

    def keep(self, kept):
        self.rows = [list(self.rows[i]) for i in kept.tolist()]


class Scripted(LanguageModel):
    """Writes what ``answer`` makes of a prompt, token ids to token ids."""

    def __init__(self, vocabulary_size, answer):
        super().__init__()
        self.vocabulary_size, self.answer = vocabulary_size, answer
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, tokens, segments=None):
        raise NotImplementedError("it writes, and scores nothing")

    def prefill(self, prompts, lengths, n_positions):
        rows = zip(prompts.tolist(), lengths.tolist(), strict=True)
        cache = Read([list(self.answer(tuple(prompt[:length]))) for prompt, length in rows])
        return self._next(cache), cache

    def decode(self, tokens, cache):
        return self._next(cache)

    def _next(self, cache):
        scores = torch.zeros(len(cache.rows), self.vocabulary_size)
        for i, row in enumerate(cache.rows):
            scores[i, row.pop(0) if row else 0] = 1
        return scores


def saying(vocabulary, says):
    """A model that reads a prompt as text, and writes the text that ``says`` makes of it."""

    def answer(prompt):
        said = says(vocabulary.decode(np.array(prompt[1:])))
        written = vocabulary.encode(f" {said}").tolist() if said else []
        return [*written, vocabulary.eos]

    return Scripted(vocabulary.size, answer)
