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
from apps.builds.actions.samples import load_samples, request_samples

__all__ = [
    "append_lines",
    "cancel_build",
    "collect_bentos",
    "end_cancelled",
    "fail",
    "load_samples",
    "record_scan",
    "request_build",
    "request_samples",
    "settle_lost",
    "start",
    "succeed",
    "unneeded_bentos",
    "unneeded_runtimes",
]
