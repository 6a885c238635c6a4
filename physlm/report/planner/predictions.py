"""What the measured law predicts for the runs of an experiment, before they are made."""

import math
from pathlib import Path

from physlm.config import RunConfig, register
from physlm.data.mixture import part_of
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig
from physlm.models.size import n_parameters
from physlm.report.experiment import read_experiment
from physlm.report.planner.case import Case, Setting
from physlm.report.planner.law import Law
from physlm.report.predicted import Prediction, write_predictions


def predict_experiment(folder: Path, law: Law) -> Path:
    """Write a prediction for every run of an experiment into its folder; returns the file.

    The prediction is in bits of names and values per parameter.

    Args:
        folder: Of the experiment.
        law: The law.

    Raises:
        InputError: If a run is not of people and a decoder, or lies outside the range of the law.
    """
    register()
    runs = read_experiment(folder).points()
    return write_predictions({i: predicted(run, law) for i, run in runs.items()}, folder)


def predicted(run: RunConfig, law: Law) -> Prediction:
    """Bits of names and values per parameter that a law predicts for a run.

    Raises:
        InputError: If the run is not of people and a decoder, or lies outside the range of the law.
    """
    case = case_of(run)
    if outside := law.outside(case):
        raise InputError(f"run {run.run_id}: {'; '.join(outside)}")
    stored = law.stored(case)
    return Prediction(
        *(part * case.bits / case.parameters for part in (stored.value, stored.low, stored.high))
    )


def case_of(run: RunConfig) -> Case:
    """The case of a run: its world, model, exposures and setting.

    Raises:
        InputError: If the run is not of people and a plain decoder.
    """
    corpus = run.data.build(run.seed)
    people = part_of(corpus, KnowledgeCorpus)
    if people is None or not isinstance(run.model, DecoderConfig) or not _is_plain(run.model):
        raise InputError(
            f"run {run.run_id} is not of people and a decoder with a plain MLP; leave it out"
        )
    size = n_parameters(run.model, corpus.vocabulary.size, run.data.seq_len)
    name_bits = math.log2(people.n_names / people.n_people)
    return Case(
        bits=people.n_people * (name_bits + people.value_bits),
        parameters=sum(size.values()),
        exposures=people.n_epochs,
        setting=Setting(
            junk_fraction=getattr(run.data, "junk_fraction", 0.0),
            has_domain_token=getattr(run.data, "domain_token", None) is not None,
        ),
    )


def _is_plain(model: DecoderConfig) -> bool:
    """Whether a decoder has the MLP of the runs that the law is fitted to."""
    plain = DecoderConfig()
    return (model.mlp, model.mlp_ratio, model.n_experts) == (
        plain.mlp,
        plain.mlp_ratio,
        plain.n_experts,
    )
