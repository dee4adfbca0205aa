"""Every write of builds: what people ask for, and what the build worker reports."""

from apps.builds.actions.collecting import collect_bentos, unneeded_bentos, unneeded_runtimes
from apps.builds.actions.reports import (
    append_lines,
    end_cancelled,
    fail,
    record_scan,
    settle_lost,
    start,
    succeed,
)
from apps.builds.actions.requests import cancel_build, request_build

__all__ = [
    "append_lines",
    "cancel_build",
    "collect_bentos",
    "end_cancelled",
    "fail",
    "record_scan",
    "request_build",
    "settle_lost",
    "start",
    "succeed",
    "unneeded_bentos",
    "unneeded_runtimes",
]
