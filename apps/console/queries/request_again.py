"""A release that ended, as the form that asks for one starts with it."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.http import urlencode

from apps.governance.models import Release
from apps.governance.plan import PRESETS


def request_again_url(release: Release) -> str:
    """Return the address of the form that starts as ``release`` was asked for. It names the release
    alone: what people wrote, and values of variables, stand in no address and no request log."""
    return f"{reverse('release-new')}?{urlencode({'again': release.pk})}"


def with_whole_version(rows: QuerySet[Release]) -> QuerySet[Release]:
    """Have releases bring what the form reads of their version."""
    return rows.select_related("version__project", "version__model__project")


def as_requested(release: Release) -> dict[str, Any]:
    """Return how ``release`` was asked for, by the names of the form's inputs."""
    serving = release.serving
    plan = release.plan.get("strategy", "")
    fields = {
        "environment": release.environment.name,
        "endpoint": release.endpoint.name,
        "bento": release.bento_id,
        "plan": plan if plan in PRESETS else "",
        "start": release.plan.get("start", ""),
        "reason": release.reason,
        "egress": "\n".join(serving.get("egress") or ()),
        "capture": (serving.get("capture") or {}).get("percent", ""),
        **{name: serving.get(name, "") for name in ("replicas", "max_replicas", "memory_mb")},
        **_unit(serving.get("unit") or {}),
        **{f"variable.{name}": value for name, value in (serving.get("variables") or {}).items()},
    }
    return {name: value for name, value in fields.items() if value != ""}


def _unit(unit: Mapping[str, Any]) -> dict[str, str]:
    """Return by what requests are split, as the form has it."""
    return next(({"unit_source": k, "unit_name": str(v)} for k, v in unit.items()), {})
