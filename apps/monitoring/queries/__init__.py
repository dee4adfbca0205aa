"""What monitoring lets one read: figures, objectives, alerts."""

from apps.monitoring.queries.alerts import (
    alerts_of,
    get_alert,
    unresolved_alerts,
    visible_alerts,
)
from apps.monitoring.queries.captures import (
    Captured,
    captured_of,
    captured_predictions,
    contents,
    erasures_of,
)
from apps.monitoring.queries.comparing import TOLERANCE, Compared, Disagreement, compare
from apps.monitoring.queries.objectives import (
    Watched,
    figures,
    name_of,
    objective_of,
    objective_with,
    owner_of,
    stands,
    watched,
)
from apps.monitoring.queries.outcomes import (
    Reported,
    count_outcomes,
    outcomes_for,
    outcomes_of,
    reported,
)
from apps.monitoring.queries.outputs import count_outputs
from apps.monitoring.queries.windows import (
    MeasuredCounts,
    Recent,
    Stretch,
    between,
    by_revision,
    counts_of,
    recent,
    recent_many,
    requests_of,
    series,
    traffic,
)

__all__ = [
    "TOLERANCE",
    "Captured",
    "Compared",
    "Disagreement",
    "MeasuredCounts",
    "Recent",
    "Reported",
    "Stretch",
    "Watched",
    "alerts_of",
    "between",
    "by_revision",
    "captured_of",
    "captured_predictions",
    "compare",
    "contents",
    "count_outcomes",
    "count_outputs",
    "counts_of",
    "erasures_of",
    "figures",
    "get_alert",
    "name_of",
    "objective_of",
    "objective_with",
    "outcomes_for",
    "outcomes_of",
    "owner_of",
    "recent",
    "recent_many",
    "reported",
    "requests_of",
    "series",
    "stands",
    "traffic",
    "unresolved_alerts",
    "visible_alerts",
    "watched",
]
