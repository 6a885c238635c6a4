"""Shape checks on every annotated tensor, and tiny worlds that several tests share.

The process that distributes tests imports this file too: what only tests need is imported later.
"""

import gc
import os
import subprocess
import sys
from collections.abc import Iterator

from tests.annotations import check_shapes

# Tiny tensors: a second thread costs more than it brings, here and in processes of tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")

gc.disable()  # until all is imported; see pytest_collection_finish
check_shapes("physlm.analysis", "physlm.data", "physlm.eval", "physlm.models", "physlm.train")

import hypothesis  # noqa: E402
import pytest  # noqa: E402

from physlm.data.people.augmentation import Order  # noqa: E402
from physlm.data.people.biod import BiodConfig  # noqa: E402
from physlm.data.people.bior import BiorConfig, persons_of  # noqa: E402
from physlm.data.people.bios import BiosConfig  # noqa: E402
from physlm.data.people.knowledge import KnowledgeCorpus  # noqa: E402
from physlm.data.texts.discourse import Person  # noqa: E402
from physlm.data.tokens import TokenizerName  # noqa: E402

# A busy machine is no fault of what is tested.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """Leave what is imported by now out of garbage collection.

    Every training ends with a collection, half a second of it for the libraries that are loaded.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """How `make test` distributes tests over processes."""
    from tests.distribution import ByFile

    return ByFile(config, log) if config.option.dist == "loadfile" else None


def printed(code, *words, cwd=None) -> str:
    """What a script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def tiny_biod_config(**changes) -> BiodConfig:
    values = {
        "n_people": 24,
        "n_attributes": 3,
        "diversity": 8,
        "chunk_length": 2,
        "alphabet_size": 6,
        "name_sizes": [6, 6],
        "attribute_order": Order.fixed,
        "exposures": 4,
        "seq_len": 12,
    }
    return BiodConfig(**(values | changes))


@pytest.fixture(scope="session")
def biod() -> KnowledgeCorpus:
    return tiny_biod_config().build(0)


@pytest.fixture(scope="session", params=list(TokenizerName))
def bios(request: pytest.FixtureRequest) -> KnowledgeCorpus:
    config = BiosConfig(n_people=300, exposures=3, tokenizer=request.param)
    return config.build(7)


@pytest.fixture(scope="session")
def persons() -> list[Person]:
    """Six people, for models that write their biographies anew."""
    return persons_of(BiorConfig(n_people=6), 0)[1]


@pytest.fixture
def endpoint() -> Iterator[str]:
    """The address of a server of chat completions."""
    from tests.chat_server import serving

    with serving() as address:
        yield address
