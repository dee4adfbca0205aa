"""Lets assurance, which stands above and keeps the recalls, take part: it says what must not run,
and hears what nodes sign about it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db.models import JSONField, Value

from apps.audit.actions import Recorder
from apps.builds.models import Bento
from apps.serving.errors import Recalled
from apps.serving.models import Endpoint, Node, Target
from placet_protocol.report import Report
from placet_verify.recalls import NONE, Uncounted


class Keeper(Protocol):
    """Who keeps the recalls."""

    def refusal(self, bento: Bento) -> str:
        """Return why a Bento must not run, in a sentence; '' when it may."""

    def listed(self, bento: str) -> ArraySubquery | Value:
        """Return the recalls that name a Bento, as a column of a query; ``bento`` is the lookup of
        its digest there."""

    def sentence(self, found: Sequence[Mapping[str, str]]) -> str:
        """Return why what :meth:`listed` found must not run; '' when it found nothing."""

    def uncounted(self) -> Uncounted:
        """Return whose signatures on permits do not count now."""

    def told(self, target: Target) -> dict[str, list[Any]]:
        """Return what the node of ``target`` is told of recalls: members of its state."""

    def heard(self, node: Node, report: Report, log: Recorder) -> None:
        """Take in what a node signed, in the transaction that takes its report."""

    def events(self, release: str, bento: str, endpoint: Endpoint) -> dict[int, str]:
        """Return the events, by index, that show what nodes signed about a release, and what
        takes it or its Bento back."""


class NoRecalls:
    """What is true until somebody keeps them."""

    def refusal(self, bento: Bento) -> str:
        """Nothing is recalled."""
        return ""

    def listed(self, bento: str) -> ArraySubquery | Value:
        """Nothing is named."""
        return Value([], output_field=ArrayField(JSONField()))

    def sentence(self, found: Sequence[Mapping[str, str]]) -> str:
        """Nothing was found."""
        return ""

    def uncounted(self) -> Uncounted:
        """Everybody counts."""
        return NONE

    def told(self, target: Target) -> dict[str, list[Any]]:
        """Nothing is told."""
        return {"recalled": [], "recalls": []}

    def heard(self, node: Node, report: Report, log: Recorder) -> None:
        """Nobody listens."""

    def events(self, release: str, bento: str, endpoint: Endpoint) -> dict[int, str]:
        """Nothing was written down."""
        return {}


_keepers: list[Keeper] = [NoRecalls()]


def register(keeper: Keeper) -> None:
    """Have ``keeper`` asked from now on."""
    _keepers[0] = keeper


def keeper() -> Keeper:
    """Return who keeps the recalls."""
    return _keepers[0]


def refuse_recalled(bento: Bento) -> None:
    """Raise :class:`Recalled` when ``bento`` must not run."""
    if why := keeper().refusal(bento):
        raise Recalled(why)
