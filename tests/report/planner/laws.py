"""A measured law with planted values, and questions in its range."""

import math

from hypothesis import strategies as st

from physlm.report.planner.case import Case, Mlp, Setting
from physlm.report.planner.curve import Curve, Share
from physlm.report.planner.law import Check
from physlm.report.planner.measured_law import Anchored, Fit, MeasuredLaw
from physlm.report.planner.published_law import PublishedLaw

PLANTED = Fit(
    capacity=2.2,
    onset_exposures=15.0,
    half_exposures=80.0,
    size_power=0.3,
    steepness=0.8,
    sharpness=6.0,
)


def planted_law(**changes):
    values = {
        "ranges": {
            "exposures": (30, 1000),
            "parameters": (7e3, 6e4),
            "bits": (1.4e4, 1.1e5),
            "parameters per bit": (0.1, 2.0),
        },
        "fit": PLANTED,
        "resampled": (
            PLANTED._replace(half_exposures=100.0),
            PLANTED._replace(half_exposures=80.0),
        ),
        "spread": 0.05,
        "full_spread": 0.01,
        "junk": {
            False: Anchored(Curve(((100.0, 0.01), (300.0, 0.02), (600.0, 0.03))), 27_000.0, 0.15),
            True: Anchored(Curve(((100.0, 0.03), (300.0, 0.2))), 27_000.0, 0.3),
        },
        "junk_share": Share(((0.0, 0.0), (0.5, 0.3), (0.875, 1.0))),
        "mlps": {
            Mlp.gated: Anchored(Curve(((100.0, 0.6), (1000.0, 0.93))), 27_000.0, 0.1),
            Mlp.moe: Anchored(Curve(((100.0, 0.12), (1000.0, 0.3))), 27_000.0, 0.1),
        },
        "log_weights": {32: (0.0, 0.0), 8: (-0.04, 0.01), 4: (-math.inf, 0.0)},
        "weights_exposures": 1000.0,
        "among_frequent": ((10.0, -1.5), (100.0, 0.8), (1000.0, 0.99)),
        "recipe": (Curve(((30.0, 3750.0), (100.0, 6250.0), (1000.0, 10417.0))), 62.5),
        "runs": (100, 20),
        "experiments": ("capacity",),
        "checks": {False: Check(16, 0.06, 1.2), True: Check(6, 0.6, 5.0)},
    }
    return MeasuredLaw(**(values | changes))


LAWS = (planted_law(), PublishedLaw())

junk_settings = st.builds(
    Setting, junk_fraction=st.floats(0.01, 0.875), has_domain_token=st.booleans()
)
settings = st.one_of(
    st.builds(Setting, mlp=st.sampled_from(list(Mlp))),
    st.just(Setting(weight_bits=8)),
    junk_settings,
)


def cases(settings=settings):
    return st.builds(
        Case,
        bits=st.floats(1e3, 1e9),
        parameters=st.floats(1e3, 1e9),
        exposures=st.floats(1, 1e4),
        setting=settings,
    )
