"""The Python API, for notebooks and scripts.

```python
import physlm

run = physlm.run("+experiment=capacity_1000x", n_people=200)
print(run.metrics)
print(physlm.score(run, "recall").metrics)
```

Heavy libraries are loaded on first use.
"""

from physlm.api.runs import Run, load, run, score
from physlm.api.states import attention_patterns, logit_lens, residuals
from physlm.api.texts import ask, generate

__all__ = [
    "Run",
    "ask",
    "attention_patterns",
    "generate",
    "load",
    "logit_lens",
    "residuals",
    "run",
    "score",
]
