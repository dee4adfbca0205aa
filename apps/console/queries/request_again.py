"""A release that ended before it served, as the form that asks for one starts with it."""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

from apps.governance.models import Release
from apps.governance.plan import PRESETS

LONGEST = 1500  # characters of the description that an address carries


def request_again_url(release: Release) -> str:
    """Return the address of the form, filled in as ``release`` was asked for."""
    serving = release.serving
    plan = release.plan.get("strategy", "")
    fields = {
        "version": release.version_id,
        "environment": release.environment.name,
        "endpoint": release.endpoint.name,
        "bento": release.bento_id,
        "plan": plan if plan in PRESETS else "",
        "start": release.plan.get("start", ""),
        "reason": release.reason[:LONGEST],
        "egress": "\n".join(serving.get("egress") or ()),
        "capture": (serving.get("capture") or {}).get("percent", ""),
        **{name: serving.get(name, "") for name in ("replicas", "max_replicas", "memory_mb")},
        **_unit(serving.get("unit") or {}),
        **{f"variable.{name}": value for name, value in (serving.get("variables") or {}).items()},
    }
    given = {name: value for name, value in fields.items() if value != ""}
    return f"{reverse('release-new')}?{urlencode(given)}"


def _unit(unit: Mapping[str, Any]) -> dict[str, str]:
    """Return by what requests are split, as the form has it."""
    return next(({"unit_source": k, "unit_name": str(v)} for k, v in unit.items()), {})
