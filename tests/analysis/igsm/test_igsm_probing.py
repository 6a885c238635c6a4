"""Probes find what is planted, in the state where it is planted, and nothing elsewhere."""

import zlib

import numpy as np
import pytest

from physlm.analysis.igsm.igsm_probing import IgsmProbingConfig
from physlm.analysis.igsm.probe_task import ProbeTask
from physlm.data.tasks.igsm import IgsmConfig
from physlm.data.tasks.mano import ManoConfig
from physlm.errors import InputError
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig, EncoderConfig
from tests.analysis.igsm.planted import Planted

FAST = {
    "n_train_problems": 60,
    "n_test_problems": 12,
    "n_steps": 120,
    "batch_size": 64,
    "embedding_rank": 0,  # planted states do not depend on the embedding
}


@pytest.fixture(scope="module")
def corpus():
    return IgsmConfig(op_max=2, ip_max=4, seq_len=160).build(0)


def measured(model, corpus, **options):
    scorer = IgsmProbingConfig(**FAST | {"learning_rate": 0.1} | options)
    scorer.check(model, corpus)
    found = scorer.measure(model, corpus)
    assert set(scorer.figures(found)) == set(scorer.figure_names)
    assert set(found.tables) == set(scorer.table_names)
    return by_text(found.metrics), found.tables


def shuffled(reading, task):
    """A class that does not depend on the true one, and not on the task's other queries."""
    return zlib.crc32(f"{reading.before}{reading.names}{task}".encode()) // 7 % 2


@pytest.fixture(scope="module")
def planted(corpus):
    return measured(Planted(corpus), corpus, layers=[])


@pytest.mark.parametrize("task", [task.value for task in ProbeTask])
@pytest.mark.parametrize("name", ["trained", "known_templates", "longer"])
def test_planted_answers_are_found(planted, task, name):
    metrics, _ = planted
    dims = f"set={name},task={task}}}"
    for metric in ("accuracy", "matthews"):
        found = metrics[f"igsm_probe/{metric}{{model=trained,{dims}"]
        # Few problems have no example of some values.
        assert found.value > (0.9 if task == "value" else 0.999)
        assert found.n == FAST["n_test_problems"]
    random = metrics[f"igsm_probe/accuracy{{model=random,{dims}"].value
    gain = metrics[f"igsm_probe/gain{{over=random,{dims}"]
    accuracy = metrics[f"igsm_probe/accuracy{{model=trained,{dims}"].value
    assert gain.value == pytest.approx(accuracy - random)
    assert gain.stderr > 0
    by_names = f"igsm_probe/matthews_gain{{over=names,{dims}"
    assert (by_names in metrics) == (task in ("nece", "dep"))
    if by_names in metrics:
        names = metrics[f"igsm_probe/matthews{{model=names,{dims}"].value
        assert metrics[by_names].value == pytest.approx(1 - names)


def test_the_table_has_the_predictions_behind_the_metrics(planted):
    metrics, tables = planted
    table = tables["igsm_probe_predictions"]
    own = table.filter(task="value", model="trained", set="trained")
    is_right = (own["true_class"] == own["predicted_class"]).to_numpy()
    name = "igsm_probe/{}{{{}model=trained,set=trained,task=value}}"
    assert metrics[name.format("accuracy", "")].value == pytest.approx(is_right.mean())
    is_known = own["true_class"].to_numpy() < 23
    known = metrics[name.format("class_accuracy", "class=known,")]
    assert known.value == pytest.approx(is_right[is_known].mean())
    most = own["true_class"].value_counts()["count"].max()
    common = metrics["igsm_probe/majority{set=trained,task=value}"]
    assert common.value == pytest.approx(most / len(own))


@pytest.mark.slow
def test_shuffled_answers_are_not_found(corpus):
    metrics, _ = measured(
        Planted(corpus, answer=shuffled), corpus, layers=[], tasks=["nece", "can_next"]
    )
    for task in ("nece", "can_next"):
        found = metrics[f"igsm_probe/matthews{{model=trained,set=trained,task={task}}}"]
        assert abs(found.value) <= 3.5 * found.stderr


def test_what_is_planted_in_a_state_is_found_from_there_on(corpus):
    model = Planted(corpus, n_layers=3, since=2)
    metrics, _ = measured(model, corpus, tasks=["nece"], balanced_tasks=["nece"])
    name = "igsm_probe/layer_matthews{{layer={},model=trained,set=longer}}"
    found = [metrics[name.format(layer)].value for layer in (1, 2, 3)]
    assert found[0] == 0
    assert min(found[1:]) > 0.98
    distances = [m for m in metrics.values() if m.name == "igsm_probe/distance_accuracy"]
    assert {m.dims["distance"] for m in distances} >= {1, 2}
    is_late = [m for m in distances if m.dims["layer"] > 1 and m.dims["model"] == "trained"]
    assert all(m.value > 0.95 for m in is_late)


def test_a_model_with_random_weights_predicts_little_more_than_the_most_common_class(corpus):
    model = DecoderConfig(d_model=32, n_layers=1, n_heads=2).build(corpus.vocabulary.size, 160, 0)
    options = {"learning_rate": 2e-3, "n_steps": 8, "embedding_rank": 8, "batch_size": 16}
    metrics, _ = measured(model.eval(), corpus, tasks=["can_next"], layers=[], **options)
    found = metrics["igsm_probe/matthews{model=trained,set=trained,task=can_next}"]
    assert abs(found.value) < 0.25
    accuracy = metrics["igsm_probe/accuracy{model=random,set=trained,task=can_next}"]
    common = metrics["igsm_probe/majority{set=trained,task=can_next}"]
    assert abs(accuracy.value - common.value) < 0.1


def test_unsuitable_worlds_models_and_options_are_refused(corpus):
    size = corpus.vocabulary.size
    model = DecoderConfig(d_model=16, n_layers=2).build(size, 160, 0)
    mano = ManoConfig(seq_len=64).build(0)
    with pytest.raises(
        InputError, match="igsm_probing measures models of iGSM only; use data=igsm"
    ):
        IgsmProbingConfig().check(model, mano)
    with pytest.raises(InputError, match="this model attends to both sides"):
        IgsmProbingConfig().check(EncoderConfig(d_model=16).build(size, 160, 0), corpus)
    with pytest.raises(InputError, match="state 3 does not exist; this model has 0 to 2"):
        IgsmProbingConfig(layers=[3]).check(model, corpus)
    with pytest.raises(InputError, match="longer_op=2; must be above data.op_max=2"):
        IgsmProbingConfig(longer_op=2).check(model, corpus)
    with pytest.raises(InputError, match="no problem of 40 operations with ip_max=4"):
        IgsmProbingConfig(longer_op=40).check(model, corpus)
    for options, message in (
        ({"tasks": []}, r"tasks=\[\]; name at least one of nece, dep"),
        ({"tasks": ["nece", "nece"]}, "name each task once"),
        ({"balanced_tasks": ["value"]}, "value has more than two classes"),
        ({"n_draws": 1}, "n_draws=1; must be at least 2"),
        ({"learning_rate": 0.0}, "learning_rate=0.0; must be above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            IgsmProbingConfig(**options).validate()


def test_words_become_tasks():
    assert np.all([isinstance(t, ProbeTask) for t in IgsmProbingConfig(tasks=["dep"]).tasks])
