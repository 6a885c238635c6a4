"""A model that knows nobody: its facts are whatever it may write, and it reasons from them."""

import numpy as np
import torch

from physlm.data.people.pools import MONTHS
from physlm.data.people.question_vocabulary import ANSWER
from physlm.data.tasks.task import BETWEEN, HINT, HINT_END
from physlm.data.tokens import END_OF_TEXT
from tests.eval.oracle import Reading


class Reasoner(Reading):
    """Writes months as facts, and from them whether one is even or later than the other.

    Without facts it says yes. Of months that it may write it prefers those early in the year.
    """

    def __init__(self, vocabulary):
        super().__init__(vocabulary)
        self.vocabulary = vocabulary
        self.months = [int(vocabulary.encode(f" {month}")[0]) for month in MONTHS]

    def forward(self, tokens, segments=None):
        raise NotImplementedError

    def _next(self, cache):
        texts = [self.vocabulary.decode(np.array(row)) for row in cache.rows]
        return torch.stack([self._scores(text) for text in texts])

    def _scores(self, text):
        scores = torch.zeros(self.vocabulary_size)
        if text.endswith(END_OF_TEXT):
            return self._say(scores, text, text)
        if HINT not in text:
            return self._say(scores, text, f"{text.partition(ANSWER)[0]}{ANSWER} Yes")
        asked, _, written = text.partition(HINT)
        facts = written.partition(HINT_END[0])[0]
        months = facts.replace(BETWEEN, " ").split()
        n_wanted = 2 if " than " in asked else 1
        if len(months) < n_wanted and not facts.endswith(BETWEEN) and months:
            return self._say(scores, text, f"{text}{BETWEEN}")
        if len(months) < n_wanted:
            scores[self.months] = torch.arange(13.0, 1, -1)
            return scores
        numbers = [MONTHS.index(month) + 1 for month in months]
        is_yes = numbers[0] > numbers[1] if n_wanted == 2 else numbers[0] % 2 == 0
        said = f"{asked}{HINT}{facts}{HINT_END} {'Yes' if is_yes else 'No'}"
        return self._say(scores, text, said)

    def _say(self, scores, text, wanted):
        """The next token on the way to a text; the end of the text once it is there."""
        if text == wanted:
            scores[self.vocabulary.eos] = 20
        else:
            scores[int(self.vocabulary.encode(wanted[len(text) :])[0])] = 20
        return scores
