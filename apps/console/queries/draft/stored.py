"""Whether what is stored of a part of a draft is still what its form was filled in with."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from apps.console.queries.draft.rows import TypedForm
from apps.registry.models import ModelVersion
from placet.kernel.problems import Stale

FIELDS = {  # of a version, by the part of its draft; metrics are evidence
    "runtime": ("format", "python_version", "requirements", "variables"),
    "signature": ("signature", "example", "expected"),
    "origin": ("lineage", "parameters"),
    "card": ("card",),
}


def stored_of(part: str, version: ModelVersion) -> dict[str, Any]:
    """Return what is stored of a part, by the name of the field."""
    return {name: getattr(version, name) for name in FIELDS[part]}


def digest_of(stored: Mapping[str, Any]) -> str:
    """Return the digest of what is stored of a part, which its form carries along."""
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()


def refuse_changed(form: TypedForm, stored: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    """Refuse to replace what somebody stored since the form was shown; the second of two clicks
    replaces nothing. Whoever was told may send it again."""
    now = digest_of(stored)
    if form.seen not in ("", now) and told != stored:
        form.seen = now
        raise Stale
