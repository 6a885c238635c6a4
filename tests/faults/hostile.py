"""Files made to harm: nothing in them is executed, and they take no more memory than they have."""

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.faults import mutations
from tests.faults.attempts import attempt
from tests.faults.counts import Counts
from tests.faults.mutations import told, write_corpus, write_lenses, write_results
from tests.faults.reference import WORDS, run_directory, uninterrupted

MOST_BYTES, MOST_CPU = 2**30, 10.0
BOMB = 2**31  # bytes that a small file unpacks to

Plant = Callable[[Path], None]
Call = Callable[[], None]


class Payload:
    """What an unpickler executes: it makes the file ``executed`` in the working directory."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch executed",)


def evil_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"progress": {"steps": 1}, "J": {0: Payload()}}))


def evil_torch(path: Path) -> None:
    """A file of torch whose pickle executes something."""
    import torch

    content = {"progress": {"steps": 1}, "origin": {}, "J": {0: Payload()}, "0.weight": Payload()}
    torch.save(content, path)


def bomb(path: Path, *names: str) -> None:
    """A small zip file that unpacks to gigabytes of zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in names:
            with archive.open(name, "w", force_zip64=True) as file:
                if name.endswith(".npy"):
                    np.lib.format.write_array_header_1_0(
                        file, {"descr": "|u1", "fortran_order": False, "shape": (BOMB,)}
                    )
                for _ in range(BOMB // 2**26):
                    file.write(bytes(2**26))


def bomb_beyond_memory(path: Path) -> None:
    """A small file of arrays that unpacks to terabytes, as its directory says."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one/a.npy", bytes(2**20))
        archive.filelist[0].file_size = 2**43


def nested_bomb(path: Path) -> None:
    """A checkpoint of torch whose storage is compressed."""
    bomb(path, "archive/data.pkl", "archive/data/0")


def lying_array(path: Path) -> None:
    """An array that states a size of terabytes."""
    buffer = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (2**40,)}
    np.lib.format.write_array_header_1_0(buffer, header)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one/a.npy", buffer.getvalue())


def object_array(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, **{"one/a": np.array([Payload()], dtype=object)})


def _sealed(path: Path, **changes: object) -> None:
    """A record with other values, and with the seal that belongs to them."""
    from physlm.record import _seal

    content = json.loads(path.read_text())
    del content["seal"]
    content |= changes
    path.write_text(json.dumps({**content, "seal": _seal(content)}))


def _corpus(folder: Path, **changes: object) -> None:
    """A corpus whose manifest says what its author wants."""
    content = json.loads((folder / "manifest.json").read_text()) | changes
    (folder / "manifest.json").write_text(json.dumps(content))


def _index(folder: Path, starts: np.ndarray) -> None:
    from physlm.sources import sha256

    np.save(folder / "index.npy", starts, allow_pickle=True)
    content = json.loads((folder / "manifest.json").read_text())
    content["sha256"]["index.npy"] = sha256(folder / "index.npy")
    (folder / "manifest.json").write_text(json.dumps(content))


def of_checkpoints() -> dict[str, Plant]:
    """What may stand in place of an interrupted run's checkpoint."""
    return {
        "a pickle": evil_pickle,
        "a pickle in torch's format": evil_torch,
        "a bomb": nested_bomb,
        "a bomb of arrays": lambda path: bomb(path, "a.npy"),
    }


def of_records() -> dict[str, dict[str, object]]:
    """Values that a record of another author may have."""
    return {
        "a text for steps": {"steps": "many"},
        "a list for metrics": {"metrics": [[1]]},
        "no configuration": {"config": 3},
        "numbers as hashes": {"sha256": {"model.safetensors": 1}},
        "another status": {"status": "__import__('os')"},
        "no fingerprint": {"corpus": {}},
        "texts as arrays": {"arrays": [1]},
        "unknown schemas": {"config": {"kinds": {"data": "os/system"}, "data": {}}},
        "kinds of no type": {"config": {"kinds": 3}},
    }


def of_arrays() -> dict[str, Plant]:
    return {
        "objects": object_array,
        "a bomb": bomb_beyond_memory,
        "a size of terabytes": lying_array,
    }


def of_lenses() -> dict[str, Plant]:
    return {
        "a pickle": evil_pickle,
        "a pickle in torch's format": evil_torch,
        "a bomb": nested_bomb,
    }


def of_corpora() -> dict[str, Plant]:
    """Changes of a written corpus."""
    return {
        "dtype O": lambda f: _corpus(f, dtype="O"),
        "dtype of no type": lambda f: _corpus(f, dtype={"a": 1}),
        "hashes of no type": lambda f: _corpus(f, sha256=[1]),
        "a file elsewhere": lambda f: _corpus(f, sha256={"../../etc/passwd": "0"}),
        "objects as index": lambda f: _index(f, np.array([Payload()], dtype=object)),
        "an index beyond the end": lambda f: _index(f, np.array([0, 2**40])),
        "a descending index": lambda f: _index(f, np.array([0, 9, 3])),
        "a table as index": lambda f: _index(f, np.zeros((2, 2), dtype=np.int64)),
    }


def of_yaml() -> dict[str, str]:
    """Files of a user's folder of configurations."""
    return {
        "a tag that calls": "!!python/object/apply:os.system ['touch executed']",
        "a tag in a value": "label: !!python/object/apply:os.system ['touch executed']",
        "a tag of a module": "label: !!python/module:os",
        "a tag of a name": "label: !!python/name:os.system",
        "an unknown tag": "label: !nothing 3",
        "a target": "_target_: os.system\ncommand: touch executed",
        "a resolver": "label: ${oc.nothing:touch executed}",
        "aliases": "\n".join(
            ["a0: &a0 [x, x, x, x, x, x, x, x]"]
            + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, 12)]
        ),
    }


def of_models(folder: Path) -> dict[str, Plant]:
    """Folders of checkpoints."""

    def config(path: Path, **more: object) -> None:
        path.mkdir()
        content = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], **more}
        (path / "config.json").write_text(json.dumps(content))

    def pickled(path: Path) -> None:
        config(path)
        evil_torch(path / "pytorch_model.bin")

    def disguised(path: Path) -> None:
        config(path)
        evil_torch(path / "model.safetensors")

    def code(path: Path) -> None:
        config(path, auto_map={"AutoModelForCausalLM": "evil.Model", "AutoConfig": "evil.Config"})
        (path / "evil.py").write_text("import os\nos.system('touch executed')\n")

    def tokenizer(path: Path) -> None:
        config(path)
        (path / "tokenizer_config.json").write_text(
            json.dumps({"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}})
        )
        (path / "evil.py").write_text("import os\nos.system('touch executed')\n")

    def huge(path: Path) -> None:
        config(path, n_layer=10**6, n_embd=10**6, n_head=1, vocab_size=10**9)
        (path / "model.safetensors").write_bytes(b"\xff" * 64)

    return {
        "pickled weights": pickled,
        "a pickle as safetensors": disguised,
        "code of its own": code,
        "code of a tokenizer": tokenizer,
        "a size of terabytes": huge,
    }


class _Tries:
    """Tries, each with files of its own."""

    def __init__(self, folder: Path) -> None:
        self.counts = Counts("hostile", 0)
        self.folder = folder
        self.largest = 0

    def note(self, what: str, *, words: tuple[str, ...] = (), call: Call | None = None) -> None:
        """Run a command, or call a reader, and look for what may have been executed."""
        work = self.folder / "work"
        done = attempt(words, work, call=call)
        outcome = done.outcome
        if list(self.folder.rglob("executed")) or Path("executed").exists():
            outcome = "the payload was executed"
        elif done.peak_bytes > MOST_BYTES:
            outcome = f"{done.peak_bytes / 2**20:.0f} MiB: {done.words}"
        elif done.cpu_seconds > MOST_CPU:
            outcome = f"{done.cpu_seconds:.1f} CPU seconds: {done.words}"
        self.largest = max(self.largest, done.peak_bytes)
        is_bad = outcome not in {"survived", "refused"}
        self.counts.note(f"{what}: {outcome}" if is_bad else outcome, done.cpu_seconds)
        self.counts.asked += 1


def campaign(size: float, seed: int, folder: Path) -> Counts:
    """Open every hostile file once, whatever the size."""
    tries = _Tries(folder)
    folder.mkdir(parents=True, exist_ok=True)
    uninterrupted(folder / "whole")
    whole = run_directory(folder / "whole")
    assert whole is not None
    for name, plant in of_checkpoints().items():
        work = folder / "work" / "runs" / whole.name
        shutil.copytree(whole, work, ignore=shutil.ignore_patterns("record.json", "model.*"))
        mutations.made_in_a_copy(
            lambda _, work=work, plant=plant: plant(work / "last.ckpt"), folder / f"planted {name}"
        )
        tries.note(f"{name} as checkpoint", words=WORDS)
        shutil.rmtree(folder / "work")
    for name, changes in of_records().items():
        work = folder / "work" / "runs" / whole.name
        shutil.copytree(whole, work)
        _sealed(work / "record.json", **changes)
        tries.note(f"a record with {name}", words=WORDS)
        tries.note(f"a record with {name}, opened", call=told(mutations.read_finished, work))
        shutil.rmtree(folder / "work")
    _of_files(tries, folder, of_arrays(), write_results, mutations.read_results, "arrays.npz")
    _of_files(tries, folder, of_lenses(), write_lenses, mutations.read_lenses, "jacobian.pt")
    _of_files(tries, folder, of_lenses(), _write_pickled_lens, mutations.read_lenses, "params.pt")
    _of_files(tries, folder, of_corpora(), write_corpus, mutations.read_corpus, "")
    for name, text in of_yaml().items():
        (folder / "conf" / "experiment").mkdir(parents=True, exist_ok=True)
        (folder / "conf" / "experiment" / "hostile.yaml").write_text(
            f"# @package _global_\n{text}\n"
        )
        words = ("--config-dir", str(folder / "conf"), "+experiment=hostile", "data.seq_len=-1")
        tries.note(f"{name} in YAML", words=words)
    for name, plant in of_models(folder).items():
        path = folder / f"model {len(tries.counts.violations)} {name}"
        plant(path)
        words = (
            "+experiment=inside",
            "model=checkpoint",
            f"model.path='{path}'",
            "data=public_figures",
        )
        tries.note(f"{name} as a model", words=(*words, "eval=public_figures"))
    tries.counts.notes.append(f"the most memory was {tries.largest / 2**20:.0f} MiB")
    return tries.counts


def _write_pickled_lens(folder: Path) -> None:
    write_lenses(folder)
    (folder / "params.safetensors").unlink()


def _of_files(
    tries: _Tries,
    folder: Path,
    plants: dict[str, Plant],
    write: Callable[[Path], None],
    read: Callable[[Path], str],
    file: str,
) -> None:
    """Replace a file of those that are written by the hostile ones, and read."""
    for number, (name, plant) in enumerate(plants.items()):
        made = folder / f"{write.__name__} {number}"
        mutations.made_in_a_copy(write, made)
        mutations.made_in_a_copy(
            lambda _, made=made, plant=plant: plant(made / file if file else made),
            folder / f"{write.__name__} {number} planted",
        )
        tries.note(f"{name} in {file or 'a corpus'}", call=told(read, made))
