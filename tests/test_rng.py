import numpy as np
import pytest

from physlm.rng import stream, stream_key


def test_a_stream_does_not_depend_on_what_others_draw():
    alone = stream(0, "people").integers(0, 1000, 5)
    stream(0, "templates").integers(0, 1000, 99)
    assert np.array_equal(alone, stream(0, "people").integers(0, 1000, 5))


def test_streams_differ_by_seed_and_purpose():
    drawn = {int(stream_key(s, *p)) for s in (0, 1) for p in (("a",), ("b",), ("a", 1), ("a", 2))}
    assert len(drawn) == 8


def test_streams_are_the_same_on_every_machine():
    assert stream(3, "epoch", 5).integers(0, 10**9) == 881530508


@pytest.mark.parametrize(("seed", "purpose"), [(-1, ("x",)), (0, ())])
def test_bad_seeds_and_missing_purposes_are_refused(seed, purpose):
    with pytest.raises(ValueError, match="seed|purpose"):
        stream(seed, *purpose)
