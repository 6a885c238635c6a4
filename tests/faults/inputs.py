"""Bad inputs: each is refused in one line, at once, in little memory."""

import inspect
import random
import types
from collections.abc import Iterator, Sequence
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from physlm.config.schema import RunConfig
from physlm.messages import BAD_INPUT
from physlm.registry import names, schema_of
from physlm.schema import Schema
from physlm.train.logger import LoggerConfig
from physlm.train.runtime import RuntimeConfig
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import TrainerConfig
from tests.faults.attempts import Attempt, attempt
from tests.faults.counts import Counts

MOST_CPU, MOST_BYTES = 3.0, 2**30
N_INPUTS = 200

Words = tuple[str, ...]

# Sizes that no machine holds, and combinations that have no meaning.
SIZES: tuple[Words, ...] = (
    ("model.n_layers=1000000",),
    ("data=biod", "model.n_layers=1000000", "data.seq_len=8", "trainer.batch_size=1"),
    ("data=biod", "data.seq_len=16", "data.n_people=20", "model.n_layers=30000"),
    ("model.n_heads=1000000000", "model.d_model=1000000000"),
    ("model.d_model=1000000000000",),
    ("data=biod", "data.name_sizes=[100000000000]"),
    ("data=biod", "data.name_sizes=[100000,100000,100000]", "data.n_people=1000000000000"),
    ("data=biod", "data.n_people=1000000000000"),
    ("data=biod", "data.n_chunks=1000000000"),
    ("data=biod", "data.alphabet_size=1000000000000"),
    ("seeds=1000000000",),
    ("seeds=1000000000", "learning_rates=[1e-3,2e-3]"),
    ("seeds=9223372036854775807",),
    ("runtime.n_threads=1000000",),
    ("runtime.n_threads=100000",),
    ("runtime.n_cores=1000000",),
    ("runtime.n_devices=1000000", "trainer.batch_size=1000000"),
    ("runtime.n_nodes=1000000", "trainer.batch_size=1000000"),
    ("runtime.steps_per_chunk=9223372036854775807", "data.exposures=1000000"),
    ("data.seq_len=9223372036854775807",),
    ("data.seq_len=100000000000",),
    ("data.exposures=9223372036854775807",),
    ("trainer.batch_size=9223372036854775807",),
    ("data=cfg", "data.n_strings=9223372036854775807"),
    ("data=igsm", "data.seq_len=100000000000"),
    ("data=brackets", "data.seq_len=100000000000"),
    ("model.mlp_ratio=1e300",),
    ("model.rope_base=-1",),
    ("optim.learning_rate=1e400",),
    ("optim.warmup_steps=9223372036854775807",),
    ("learning_rates=[1e-3,1e-3]",),
    ("seed=-1",),
    ("seed=100000000000000000000000",),
    ("init_from=nowhere",),
    ("init_from=/etc/passwd",),
    ("init_from='+experiment=capacity_1000x seeds=3'", "model=inherited"),
    ("runs_dir=/proc/physlm", "data.n_people=20"),
    ("runs_dir=/dev/null/runs", "data.n_people=20"),
    ("stage=measure",),
    ("~data",),
    ("~model",),
    ("++data=3",),
    ("data=[bios,biod]",),
    ("data=bios,biod",),
    ("nothing",),
    ("=",),
    ("data.n_people=",),
    ("data.n_people='",),
    ("data.n_people=${oc.env:NOTHING_OF_THIS_NAME}",),
    ("data.n_people=${data.n_people}",),
    ("data.n_people=${oc.decode:1+}",),
    ("--config-dir=/nowhere",),
    ("--config-name=nothing",),
    ("--nothing",),
    ("-cd", "/nowhere"),
    ("+experiment=nothing",),
    ("+sweeps=nothing",),
    ("hydra.mode=NOTHING",),
    ("launcher=nothing",),
    ("x" * 5000 + "=1",),
    ("data.n_people=" + "9" * 5000,),
    ("data.n_people=" + "[" * 300 + "]" * 300,),
)

# Contents of files that a user may give, by the key that names them.
DEEP = "[" * 100_000 + "]" * 100_000
DOUBLING = "root 61\nterminals 1\n" + "\n".join(f"{i} -> {i - 1} {i - 1}" for i in range(61, 1, -1))
WIDE = "root 2\nterminals 1\n2 -> " + " ".join(["1"] * 10)
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "zeros": bytes(4096),
    "latin": "caf\xe9".encode("latin-1"),
    "deep": DEEP.encode(),
    "digits": b"[" + b"9" * 10_000 + b"]",
    "tag": b"!!python/object/apply:os.system ['touch executed']",
    "torn": b'[{"a": 1}, {"a"',
    "numbers": b"[1, 2, 3]",
    "doubling": DOUBLING.encode(),
    "loop": b"root 2\nterminals 1\n2 -> 2 1",
    "nothing": b"root 2\nterminals 1\n",
    "parquet": b"PAR1" + bytes(range(256)) * 4 + b"PAR1",
}
KINDS: dict[str, tuple[str, ...]] = {
    "data=cfg data.grammar": ("txt", "json"),
    "data=texts data.source": ("txt", "json", "jsonl", "csv", "parquet"),
    "data=mquake data.source": ("json", "parquet"),
}


def bad_inputs(folder: Path, n: int, seed: int) -> list[Words]:
    """So many bad command lines: all sizes, then a sample of keys with values of other types."""
    drawn = random.Random(seed)
    files, keys, options = list(_files(folder)), list(_keys()), list(_options())
    for part in (files, keys, options):
        drawn.shuffle(part)
    sizes = list(SIZES)
    if n < N_INPUTS:
        drawn.shuffle(sizes)
    n_sizes = min(len(sizes), round(n * len(SIZES) / N_INPUTS))
    chosen = [*sizes[:n_sizes], *files[: n // 8], *options[: n // 8]]
    return [*chosen, *keys[: max(0, n - len(chosen))]]


def _files(folder: Path) -> Iterator[Words]:
    for key, suffixes in KINDS.items():
        for suffix in suffixes:
            for name, content in CONTENTS.items():
                path = folder / f"{name}.{suffix}"
                path.write_bytes(content)
                yield tuple(f"{key}={path}".split(" "))
            yield tuple(f"{key}={folder / 'nowhere'}.{suffix}".split(" "))
        yield tuple(f"{key}={folder}".split(" "))


def _options() -> Iterator[Words]:
    """Options and keys that do not exist."""
    for group in ("data", "model", "eval", "logger", "scale", "+mlp", "+canon", "+junk", "+mixer"):
        yield (f"{group}=nothing",)
        yield (f"{group}=",)
        yield (f"{group}.nothing=1",)
    for section in ("optim", "trainer", "runtime", "logger"):
        yield (f"{section}.nothing=1",)
        yield (f"+{section}.nothing=1",)
        yield (f"{section}=3",)


def _keys() -> Iterator[Words]:
    """Every key with a value of another type, and every number out of all bounds."""
    plain: dict[str, type] = {
        "": RunConfig,
        "optim.": OptimConfig,
        "trainer.": TrainerConfig,
        "runtime.": RuntimeConfig,
        "logger.": LoggerConfig,
    }
    for prefix, kind in plain.items():
        for word in _wrong(prefix, kind):
            yield (word,)
    for group, prefix in (("data", "data."), ("model", "model.")):
        for name in names(group):
            if "/" not in name and name != "inherited":
                for word in _wrong(prefix, schema_of(group, name)):
                    yield f"{group}={_option_of(group, name)}", word
    for name in names("eval"):
        for word in _wrong(f"eval.{name}.", schema_of("eval", name)):
            yield f"eval={name}", word


def _option_of(group: str, name: str) -> str:
    return {"model": {"decoder": "gpt2", "encoder": "bert"}}.get(group, {}).get(name, name)


def _wrong(prefix: str, kind: type[Any]) -> Iterator[str]:
    hints = get_type_hints(kind)
    for one in fields(kind):
        if one.metadata.get("omegaconf_ignore") or one.name in {"kinds"}:
            continue
        for value in _values(hints[one.name]):
            yield f"{prefix}{one.name}={value}"


def _values(hint: Any) -> Sequence[str]:  # noqa: PLR0911
    """Texts that are no value of a type."""
    if get_origin(hint) in (Union, types.UnionType):
        hints = [one for one in get_args(hint) if one is not type(None)]
        return _values(hints[0]) if len(hints) == 1 else ()
    if hint is bool:
        return "abc", "1.5", "[true]"
    if hint is int:
        return "abc", "1.5", "-1000000000000", "1000000000000000000000000", "[1]", "{a:1}"
    if hint is float:
        return "abc", "nan", "-.inf", "-1e300", "[1]", "{a:1}"
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return "abc", "3", "[a]", "null"
    if get_origin(hint) is list:
        return "abc", "3", "[[1]]", "{a:1}"
    if inspect.isclass(hint) and issubclass(hint, Schema):
        return "3", "[1]"
    return ()


def judged(done: Attempt) -> str:
    """``refused``, or what is wrong."""
    if done.status != BAD_INPUT or not done.is_one_line:
        return done.words
    if done.cpu_seconds > MOST_CPU:
        return f"{done.cpu_seconds:.1f} CPU seconds: {done.err.strip()}"
    if done.peak_bytes > MOST_BYTES:
        return f"{done.peak_bytes / 2**20:.0f} MiB: {done.err.strip()}"
    return "refused"


def campaign(size: float, seed: int, folder: Path) -> Counts:
    """Give bad inputs, one after the other."""
    counts = Counts("inputs", N_INPUTS)
    made = folder / "given"
    made.mkdir(parents=True)
    largest = 0
    for words in bad_inputs(made, round(size * N_INPUTS), seed):
        done = attempt(words, folder / "work")
        outcome = judged(done)
        is_bad = outcome != "refused"
        shown = " ".join(words)[:100]
        counts.note(f"{shown}: {outcome}" if is_bad else outcome, done.cpu_seconds)
        largest = max(largest, done.peak_bytes)
    counts.notes.append(
        "seconds are CPU time, without loading libraries; the most memory was "
        f"{largest / 2**20:.0f} MiB"
    )
    return counts
