"""What a node reports: what it is, what it runs, and how requests were answered."""

from placet_protocol.report.host import FEATURES, MAX_REPLICAS, Network, PlatformInfo, read_platform
from placet_protocol.report.rows import (
    ERROR_CODES,
    ISOLATIONS,
    PHASES,
    EgressCount,
    Generation,
    Isolation,
    LocalAbort,
    NodeError,
    Phase,
    RevisionReport,
    read_isolation,
    weakest,
)
from placet_protocol.report.whole import (
    MAX_RECEIPTS,
    STALE_REPORT,
    Report,
    ReportReply,
    read_report,
    write_report,
)
from placet_protocol.report.windows import (
    COHORTS,
    LATENCY_BOUNDS_MS,
    Cohort,
    MetricWindow,
    RequestCounts,
)

__all__ = [
    "COHORTS",
    "ERROR_CODES",
    "FEATURES",
    "ISOLATIONS",
    "LATENCY_BOUNDS_MS",
    "MAX_RECEIPTS",
    "MAX_REPLICAS",
    "PHASES",
    "STALE_REPORT",
    "Cohort",
    "EgressCount",
    "Generation",
    "Isolation",
    "LocalAbort",
    "MetricWindow",
    "Network",
    "NodeError",
    "Phase",
    "PlatformInfo",
    "Report",
    "ReportReply",
    "RequestCounts",
    "RevisionReport",
    "read_isolation",
    "read_platform",
    "read_report",
    "weakest",
    "write_report",
]
