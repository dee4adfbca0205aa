"""One tone for one verdict: what a scan and a smoke test found, wherever it is shown."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet, Subquery
from django.db.models.fields.json import KT

from apps.builds.queries import smoke_tests
from apps.builds.rules import BuildState
from apps.console.queries.page_parts import Sign, Tone
from apps.console.templatetags.placet import STATES

ICONS: dict[Tone, str] = {"pass": "✓", "wait": "▲", "fail": "✕", "plain": "–"}
SCANS: Mapping[str, Tone] = {"safe": "pass", "code-carrying": "wait"}
SMOKES: Mapping[str, Tone] = {"equal": "pass", "starts": "wait"}
SMOKE_WORDS = {"different": "smoke test differs", "failed": "smoke test failed"}


def scan_tone(verdict: str) -> Tone:
    """Return how good a scan's verdict is; one that carries code is allowed by some policies."""
    return SCANS.get(verdict, "fail")


def smoke_tone(result: str) -> Tone:
    """Return how good a smoke test's result is; one that compared nothing is no full pass."""
    return SMOKES.get(result, "fail")


def with_smoke(rows: QuerySet[Any], *, bento: str = "bento_digest") -> QuerySet[Any]:
    """Add ``smoke`` to builds or Bentos: the newest result of their Bento's smoke test."""
    results = smoke_tests(bento).annotate(result=KT("data__result")).values("result")
    found: QuerySet[Any] = rows.annotate(smoke=Subquery(results[:1]))
    return found


def build_sign(state: str, smoke: str | None) -> Sign:
    """Return how a build stands: whose Bento predicts otherwise than expected is no plain
    success."""
    if state == BuildState.SUCCEEDED and smoke in SMOKE_WORDS:
        return Sign("wait", ICONS["wait"], f"Succeeded, {SMOKE_WORDS[smoke]}", wrap=True)
    tone, icon, text = STATES[state]
    return Sign(tone, icon, text)  # type: ignore[arg-type]
