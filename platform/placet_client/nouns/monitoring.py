"""Alerts, and what endpoints are held to."""

from collections.abc import Mapping, Sequence
from typing import Any

from placet_client.nouns.base import Listing, Noun, at, given
from placet_client.records import (
    Alert,
    CapturedPrediction,
    Captures,
    Erasure,
    Objective,
    Outcome,
    OutcomeReceipt,
)


class Objectives(Noun):
    """What endpoints are held to, by the endpoint's id."""

    def get(self, endpoint: str) -> Objective:
        """Read what an endpoint is held to, and how it stands."""
        return self._read(Objective, at("endpoints", endpoint, "objective"))

    def set(
        self,
        endpoint: str,
        *,
        availability: float | None = None,
        latency_ms: int | None = None,
        latency_quantile: float = 0.99,
        window_minutes: int = 15,
        min_requests: int = 100,
        expect_traffic: bool = False,
        roll_back: bool = False,
        owner: str = "",
        if_match: str = "",
    ) -> Objective:
        """Hold an endpoint to these terms, in place of what was agreed before."""
        body = given(
            availability=availability,
            latency_ms=latency_ms,
            latency_quantile=latency_quantile,
            window_minutes=window_minutes,
            min_requests=min_requests,
            expect_traffic=expect_traffic,
            roll_back=roll_back,
            owner=owner,
        )
        path = at("endpoints", endpoint, "objective")
        return self._change(Objective, "PUT", path, body, if_match, new=True)

    def remove(self, endpoint: str, *, if_match: str = "") -> None:
        """Hold an endpoint to nothing any more."""
        self._delete(at("endpoints", endpoint, "objective"), if_match)


class Alerts(Noun):
    """What is wrong, and who looks after it."""

    def list(
        self, *, state: str = "", kind: str = "", endpoint: str = "", limit: int | None = None
    ) -> Listing[Alert]:
        """List alerts, newest first."""
        return self._list(Alert, "/alerts", limit, state=state, kind=kind, endpoint=endpoint)

    def get(self, alert: str) -> Alert:
        """Read an alert."""
        return self._read(Alert, at("alerts", alert))

    def acknowledge(self, alert: str) -> Alert:
        """Say that you look after it."""
        return self._do(Alert, at("alerts", alert, "acknowledge"))

    def resolve(self, alert: str) -> Alert:
        """End an alert about a failed job or the log; the others end by themselves."""
        return self._do(Alert, at("alerts", alert, "resolve"))


class Predictions(Noun):
    """What was captured of predictions, by the endpoint's id."""

    def list(
        self, endpoint: str, *, revision: str = "", limit: int | None = None
    ) -> Listing[CapturedPrediction]:
        """List captured predictions, the last stored first."""
        path = at("endpoints", endpoint, "predictions")
        return self._list(CapturedPrediction, path, limit, revision=revision)

    def captures(self, endpoint: str) -> Captures:
        """Read how much was captured over the last 24 hours, and what is missing."""
        return self._read(Captures, at("endpoints", endpoint, "capture"))

    def erase(self, endpoint: str, *, unit: str) -> Erasure:
        """Have everything captured of one unit erased; a job carries it out."""
        return self._do(Erasure, at("endpoints", endpoint, "erasures"), {"unit": unit})

    def erasures(self, endpoint: str, *, limit: int | None = None) -> Listing[Erasure]:
        """List what was erased, newest first."""
        return self._list(Erasure, at("endpoints", endpoint, "erasures"), limit)


class Outcomes(Noun):
    """What became of predictions, by the endpoint's id."""

    def report(self, endpoint: str, outcomes: Sequence[Mapping[str, Any]]) -> OutcomeReceipt:
        """Report up to 1,000 ``{"prediction": …, "name": …, "value": …}``, all or none."""
        body = {"outcomes": [*outcomes]}
        return self._do(OutcomeReceipt, at("endpoints", endpoint, "outcomes"), body)

    def list(
        self, endpoint: str, *, name: str = "", revision: str = "", limit: int | None = None
    ) -> Listing[Outcome]:
        """List what was reported, the last first."""
        path = at("endpoints", endpoint, "outcomes")
        return self._list(Outcome, path, limit, name=name, revision=revision)
