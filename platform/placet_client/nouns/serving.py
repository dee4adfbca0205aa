"""Targets, endpoints and their keys, rollouts."""

from collections.abc import Mapping
from typing import Any

from placet_client.nouns.base import Listing, Noun, answer, at, changed, given
from placet_client.records import (
    Disagreements,
    Endpoint,
    EndpointKey,
    IssuedEndpointKey,
    JoinToken,
    Look,
    Prediction,
    Revision,
    Rollout,
    RolloutPassing,
    Series,
    Target,
    TargetUse,
    Traffic,
)


class Targets(Noun):
    """Where Bentos run."""

    def list(self, *, limit: int | None = None) -> Listing[Target]:
        """List targets."""
        return self._list(Target, "/targets", limit)

    def get(self, name: str) -> Target:
        """Read a target."""
        return self._read(Target, at("targets", name))

    def create(
        self,
        name: str,
        *,
        driver: str = "",
        site: str = "",
        labels: Mapping[str, str] | None = None,
        capacity_mb: int | None = None,
        url: str = "",
        owner: str = "",
    ) -> Target:
        """Add a target. ``owner``, a person by id or e-mail address, answers for it: you do unless
        another one is named."""
        body = given(
            name=name,
            driver=driver,
            site=site,
            labels=labels,
            capacity_mb=capacity_mb,
            url=url,
            owner=owner,
        )
        return self._do(Target, "/targets", body)

    def update(
        self,
        name: str,
        *,
        site: str | None = None,
        labels: Mapping[str, str] | None = None,
        capacity_mb: int | None = None,
        url: str | None = None,
        on_expired: str | None = None,
        owner: str | None = None,
        if_match: str = "",
    ) -> Target:
        """Change a target."""
        body = {
            "site": site,
            "labels": labels,
            "capacity_mb": capacity_mb,
            "url": url,
            "on_expired": on_expired,
            "owner": owner,
        }
        return self._change(Target, "PATCH", at("targets", name), changed(body), if_match)

    def uses(self, name: str, *, limit: int | None = None) -> Listing[TargetUse]:
        """List the projects and environments that may use a target."""
        return self._list(TargetUse, at("targets", name, "uses"), limit)

    def use(self, name: str, use: str) -> TargetUse:
        """Read one entry of a target's list."""
        return self._read(TargetUse, at("targets", name, "uses", use))

    def allow(self, name: str, project: str, environment: str = "") -> TargetUse:
        """Let a project, or one environment of it, use a target."""
        body = given(project=project, environment=environment)
        return self._do(TargetUse, at("targets", name, "uses"), body)

    def end_use(self, name: str, use: str, *, if_match: str = "") -> None:
        """Take an entry off a target's list, by its id."""
        self._delete(at("targets", name, "uses", use), if_match)

    def join_token(self, name: str) -> JoinToken:
        """Make a token, for once, with which a node's agent joins."""
        return self._do(JoinToken, at("targets", name, "join-tokens"))


class Endpoints(Noun):
    """Stable names that clients call. Methods take an endpoint's id; :meth:`find` knows it."""

    def list(
        self, project: str, environment: str, *, isolation: str = "", limit: int | None = None
    ) -> Listing[Endpoint]:
        """List the endpoints of an environment; all, or those of one ``isolation``: ``older``."""
        return self._list(Endpoint, self._of(project, environment), limit, isolation=isolation)

    def find(self, project: str, environment: str, name: str) -> Endpoint:
        """Read an endpoint by its name."""
        return self._read(Endpoint, self._of(project, environment, name))

    def get(self, endpoint: str) -> Endpoint:
        """Read an endpoint by its id."""
        return self._read(Endpoint, at("endpoints", endpoint))

    def create(
        self,
        project: str,
        environment: str,
        name: str,
        *,
        target: str,
        api_key_required: bool | None = None,
    ) -> Endpoint:
        """Make an endpoint; nothing serves there before a release.

        Without ``api_key_required`` clients need a key if they did of the one that had the name.
        """
        body = given(name=name, target=target, api_key_required=api_key_required)
        return self._do(Endpoint, self._of(project, environment), body)

    def revisions(self, endpoint: str, *, limit: int | None = None) -> Listing[Revision]:
        """List what served behind an endpoint, newest first."""
        return self._list(Revision, at("endpoints", endpoint, "revisions"), limit)

    def traffic(self, endpoint: str, *, range: str = "") -> Traffic:
        """Read requests, errors and latency over 1h, 6h, 24h, 7d or 30d, with what happened."""
        return self._read(Traffic, at("endpoints", endpoint, "traffic"), **given(range=range))

    def predict(self, endpoint: str, rows: Any, *, api_key: str = "") -> Prediction:
        """Send rows through Placet, which says what answered. Clients call the URL itself."""
        headers = {"X-API-Key": api_key} if api_key else None
        path = at("endpoints", endpoint, "predict")
        return Prediction.read(answer(self._http.request("POST", path, json=rows, headers=headers)))

    def rollback(self, endpoint: str, *, reason: str, revision: int | None = None) -> Rollout:
        """Go back to the revision before; needs no new approval."""
        body = {"reason": reason} | ({} if revision is None else {"revision": revision})
        return self._do(Rollout, at("endpoints", endpoint, "rollback"), body)

    def scale(self, endpoint: str, replicas: int) -> Endpoint:
        """Set the replicas, within what was approved."""
        return self._do(Endpoint, at("endpoints", endpoint, "scale"), {"replicas": replicas})

    def stop(self, endpoint: str, *, reason: str = "") -> Endpoint:
        """Stop an endpoint; clients get 503."""
        return self._do(Endpoint, at("endpoints", endpoint, "stop"), given(reason=reason))

    def start(self, endpoint: str, *, reason: str = "") -> Endpoint:
        """Start a stopped endpoint."""
        return self._do(Endpoint, at("endpoints", endpoint, "start"), given(reason=reason))

    def restart(self, endpoint: str) -> Endpoint:
        """Replace the replicas, one after another."""
        return self._do(Endpoint, at("endpoints", endpoint, "restart"))

    def delete(self, endpoint: str, *, if_match: str = "") -> None:
        """End an endpoint that nothing needs any more; its history stays, its name is free."""
        self._delete(at("endpoints", endpoint), if_match)

    def keys(self, endpoint: str, *, limit: int | None = None) -> Listing[EndpointKey]:
        """List the API keys of an endpoint."""
        return self._list(EndpointKey, at("endpoints", endpoint, "keys"), limit)

    def new_key(self, endpoint: str, name: str) -> IssuedEndpointKey:
        """Make an API key; it is shown this once."""
        return self._do(IssuedEndpointKey, at("endpoints", endpoint, "keys"), {"name": name})

    def revoke_key(self, endpoint: str, key: str) -> EndpointKey:
        """End an API key."""
        return self._do(EndpointKey, at("endpoints", endpoint, "keys", key, "revoke"))

    def _of(self, project: str, environment: str, *more: object) -> str:
        return at("projects", project, "environments", environment, "endpoints", *more)


class Rollouts(Noun):
    """Endpoints on their way from one revision to the next."""

    def list(
        self, *, state: str = "", endpoint: str = "", release: str = "", limit: int | None = None
    ) -> Listing[Rollout]:
        """List rollouts, newest first."""
        return self._list(
            Rollout, "/rollouts", limit, state=state, endpoint=endpoint, release=release
        )

    def get(self, rollout: str) -> Rollout:
        """Read a rollout."""
        return self._read(Rollout, at("rollouts", rollout))

    def looks(
        self, rollout: str, *, step: int | None = None, limit: int | None = None
    ) -> Listing[Look]:
        """List what the analyses of a rollout said, newest first."""
        return self._list(
            Look, at("rollouts", rollout, "looks"), limit, step="" if step is None else str(step)
        )

    def series(self, rollout: str) -> Series:
        """Read planned and measured weight, errors and latency over time."""
        return self._read(Series, at("rollouts", rollout, "series"))

    def disagreements(self, rollout: str, *, tolerance: float | None = None) -> Disagreements:
        """Compare what both revisions captured of the same requests."""
        path = at("rollouts", rollout, "disagreements")
        return self._read(Disagreements, path, **given(tolerance=tolerance))

    def abort(self, rollout: str, *, reason: str) -> Rollout:
        """Stop a rollout and keep what serves."""
        return self._do(Rollout, at("rollouts", rollout, "abort"), {"reason": reason})

    def pause(self, rollout: str, *, reason: str) -> Rollout:
        """Begin no further step until somebody resumes it."""
        return self._do(Rollout, at("rollouts", rollout, "pause"), {"reason": reason})

    def resume(self, rollout: str, *, step: int | None, reason: str) -> Rollout:
        """Go on after a pause; ``step`` is the one that was read."""
        return self._do(Rollout, at("rollouts", rollout, "resume"), _shown(step, reason))

    def skip(self, rollout: str, *, step: int | None, reason: str) -> Rollout:
        """Begin the step after ``step``, which is the one that was read."""
        return self._do(Rollout, at("rollouts", rollout, "skip"), _shown(step, reason))

    def promote(self, rollout: str, *, step: int | None, reason: str) -> Rollout:
        """Send all requests to the new revision, past every step behind ``step``, which is the one
        that was read."""
        return self._do(Rollout, at("rollouts", rollout, "promote"), _shown(step, reason))

    def passing(self, rollout: str) -> RolloutPassing:
        """Read which analyses that people signed a skip or a promotion would go past now, what
        waits for a second person, and what was gone past."""
        return self._read(RolloutPassing, at("rollouts", rollout, "passing"))

    def confirm_passing(self, rollout: str, *, digest: str, reason: str) -> Rollout:
        """Have done what somebody else asked a second person for, as it was read."""
        body = {"digest": digest, "reason": reason}
        return self._do(Rollout, at("rollouts", rollout, "passing", "confirm"), body)

    def decline_passing(self, rollout: str, *, digest: str, reason: str) -> Rollout:
        """Decline what somebody else asked a second person for."""
        body = {"digest": digest, "reason": reason}
        return self._do(Rollout, at("rollouts", rollout, "passing", "decline"), body)

    def withdraw_passing(self, rollout: str, *, digest: str) -> Rollout:
        """Take back what one asked a second person for."""
        body = {"digest": digest}
        return self._do(Rollout, at("rollouts", rollout, "passing", "withdraw"), body)

    def retry(self, rollout: str, *, reason: str) -> Rollout:
        """Roll out again what failed or was aborted; return the new rollout."""
        return self._do(Rollout, at("rollouts", rollout, "retry"), {"reason": reason})


def _shown(step: int | None, reason: str) -> dict[str, Any]:
    return {"step": -1 if step is None else step, "reason": reason}
