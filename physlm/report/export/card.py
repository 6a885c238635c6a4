"""The model card of an exported run: how to use it, its world, its metrics, its training."""

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml

from physlm.config import RunConfig
from physlm.measurement import Metric
from physlm.record import RunRecord
from physlm.report.export.checkpoint import Checkpoint
from physlm.report.export.harness import FOLDER, HarnessTask

RECORD = "physlm_record.json"  # the run's record, in an exported folder
_MOST_METRICS = 40  # in the table


class Example(NamedTuple):
    """A prompt, and what the exported model writes after it."""

    prompt: str
    continuation: str


def model_card(
    config: RunConfig,
    record: RunRecord,
    checkpoint: Checkpoint,
    tasks: Sequence[HarnessTask],
    example: Example,
) -> str:
    """The text of README.md, with the metadata of the Hub.

    Args:
        config: Of the run.
        record: Of the run.
        checkpoint: The exported model.
        tasks: Of lm-evaluation-harness, which may be none.
        example: Shown in the section on use.
    """
    parts = [
        f"---\n{_metadata(config, record)}\n---",
        _introduction(config, record),
        f"## Use\n\n{_use(checkpoint, example)}",
        f"## World\n\n{_world(config)}",
        f"## Measured\n\n{_measured(record)}",
    ]
    if tasks:
        parts.append(f"## lm-evaluation-harness\n\n{_harness(record, tasks)}")
    parts.append(f"## Training\n\n{_training(config, record)}")
    return "\n\n".join(parts) + "\n"


def _title(config: RunConfig, record: RunRecord) -> str:
    return f"{record.experiment or 'run'}-{config.run_id}"


def _metadata(config: RunConfig, record: RunRecord) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type=config.described()["kinds"]["data"],
            dataset_name=f"synthetic world {record.corpus['fingerprint'][:12]}",
            metric_type=metric.text,
            metric_name=metric.text,
            metric_value=metric.value,
        )
        for metric in _totals(record.metrics)
    ]
    card = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["physlm", "synthetic", "physics-of-language-models"],
        eval_results=results or None,
        model_name=_title(config, record),
    )
    return str(card.to_yaml()).strip()


def _introduction(config: RunConfig, record: RunRecord) -> str:
    paper = f" of {config.paper}" if config.paper else ""
    scale = f"{record.parameters['total']:,} parameters, {config.scale.value} scale"
    return (
        f"# {_title(config, record)}\n\n"
        f"A decoder ({scale}) that physlm trained in a synthetic world whose truth is known "
        f"exactly: experiment `{record.experiment}`{paper}, seed {config.seed}. It knows the words "
        "of that world and nothing else."
    )


def _use(checkpoint: Checkpoint, example: Example) -> str:
    absent = (
        ""
        if checkpoint.absent_probability is None
        else "\n\nIds are GPT-2's. The model has only the tokens of its world; all others score "
        "far below the mean of these (their total probability was at most "
        f"{checkpoint.absent_probability:.1g}). Load it in float32."
    )
    return f"""```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = AutoModelForCausalLM.from_pretrained(FOLDER)
prompt = tokenizer({example.prompt!r}, return_tensors="pt")
written = model.generate(**prompt, max_new_tokens=20, do_sample=False)[0]
print(repr(tokenizer.decode(written[prompt["input_ids"].shape[1]:], skip_special_tokens=True)))
# {example.continuation!r}
```

The tokenizer begins each text with `<|endoftext|>`, as documents in training did, and generation
stops at the next one. A word with and without a space before it are different tokens; a text that
the tokenizer of the world cannot spell is an error.{absent}

As `transformers` loads it (a `{checkpoint.kind}` model), its scores differ from those of the run
by {checkpoint.largest_difference:.1g} at most, over {checkpoint.n_compared:,} tokens of its
documents."""


def _world(config: RunConfig) -> str:
    worlds = [config]
    while worlds[-1].parent is not None:
        worlds.append(worlds[-1].parent.config)
    lines = []
    for number, own in enumerate(worlds):
        described = own.described()
        about = (inspect.getdoc(type(own.data)) or "").splitlines()[0]
        when = "Before that, trained on" if number else "Trained on"
        lines.append(f"{when} `{described['kinds']['data']}`: {about}\n")
        lines.append(
            f"```yaml\n{yaml.safe_dump({'data': described['data']}, sort_keys=False)}```\n"
        )
    return "\n".join(lines).strip()


def _measured(record: RunRecord) -> str:
    shown = _shown(record.metrics)
    rows = ["| metric | value | standard error | n | unit | paper |", "| --- " * 6 + "|"]
    for metric in shown:
        error = "" if metric.stderr is None else f"{metric.stderr:.2g}"
        published = record.published.get(metric.text, "")
        value = f"{metric.value:.4g}"
        rows.append(
            f"| {metric.text} | {value} | {error} | {metric.n} | {metric.unit} | {published} |"
        )
    of = f" The paper's numbers are of {record.published_of}." if record.published_of else ""
    return (
        "\n".join(rows)
        + f"\n\n{len(shown)} of {len(record.metrics)} metrics of one run (one seed): the error is "
        f"that of the mean over n items, not over seeds. All are in `{RECORD}`.{of}"
    )


def _shown(metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics of the table: those with the fewest dimensions, as many as fit."""
    found = sorted(metrics, key=lambda metric: len(metric.dims))[:_MOST_METRICS]
    return [metric for metric in metrics if metric in found]


def _totals(metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics that have the fewest dimensions of all of their name."""
    fewest: dict[str, int] = {}
    for metric in metrics:
        n = len(metric.dims)
        fewest[metric.name] = min(n, fewest.get(metric.name, n))
    return [m for m in metrics if len(m.dims) == fewest[m.name]][:_MOST_METRICS]


def _harness(record: RunRecord, tasks: Sequence[HarnessTask]) -> str:
    known = {metric.text: metric for metric in record.metrics}
    rows = ["| task | questions | in the record |", "| --- | --- | --- |"]
    for task in tasks:
        metric = known.get(task.metric)
        value = "" if metric is None else f"{metric.value:.4g}"
        rows.append(f"| {task.name} | {len(task.rows)} | {value} |")
    names = ",".join(task.name for task in tasks[:1])
    return (
        "The questions that the run was measured on, scored by exact match of the whole answer:\n\n"
        f"```sh\ncd FOLDER\nHF_HUB_OFFLINE=1 lm_eval --model hf --model_args pretrained=. "
        f"--include_path {FOLDER} --tasks {names}\n```\n\n" + "\n".join(rows)
    )


def _training(config: RunConfig, record: RunRecord) -> str:
    software: dict[str, Any] = record.software
    revision = software.get("git_revision")
    origin = f" at revision `{revision}`" if revision else ""
    changed = record.changed or {}
    changes = "".join(f"\n- `{key}={value}`" for key, value in changed.items())
    also = f" Changed from the experiment (its value in brackets):\n{changes}" if changed else ""
    return (
        f"{record.steps:,} steps, {record.tokens:,} tokens, {record.exposures:g} exposures, "
        f"{record.wall_seconds:.0f} seconds on {record.device}; "
        f"physlm {software['physlm']}{origin}, torch {software['torch']}. "
        f"Run `{config.run_id}`, corpus `{record.corpus['fingerprint'][:12]}` of "
        f"{record.corpus['entropy_bits']:,.0f} bits.{also}"
    )
