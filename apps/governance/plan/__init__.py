"""The documents a release carries: how it goes out (plan) and what it runs with (serving).

Each is a pydantic model: it reads what people write, names what is wrong by its place, and is
what gates judge and rollouts carry out. ``document`` is what is stored and signed.
"""

from apps.governance.parts import DocumentFault
from apps.governance.plan.ab_test import AbTest
from apps.governance.plan.analysis import Analysis
from apps.governance.plan.document import Plan
from apps.governance.plan.metrics import (
    AnyMetric,
    LatencyMetric,
    OutcomeMetric,
    OutputMetric,
    PrometheusMetric,
)
from apps.governance.plan.serving import Serving
from apps.governance.plan.steps import (
    Pause,
    SetHeaderRoute,
    SetMirror,
    SetWeight,
    Ship,
    Step,
    written,
)
from apps.governance.plan.strategies import PRESETS

__all__ = [
    "PRESETS",
    "AbTest",
    "Analysis",
    "AnyMetric",
    "DocumentFault",
    "LatencyMetric",
    "OutcomeMetric",
    "OutputMetric",
    "Pause",
    "Plan",
    "PrometheusMetric",
    "Serving",
    "SetHeaderRoute",
    "SetMirror",
    "SetWeight",
    "Ship",
    "Step",
    "written",
]
