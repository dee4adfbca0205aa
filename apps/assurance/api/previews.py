"""What a recall would reach, over the API."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from apps.assurance.models import EffectAction, RecallKind
from apps.assurance.queries import RecallReach, ReleaseImpact, preview, voided_by
from apps.assurance.queries.outcomes import foreseen, told_id, would
from placet.kernel.actor import Actor

MOST_VOIDED = 200  # releases of which something goes void that an answer names
CUT = "There are more, which are not in the list"


class ForeseenSerializer(serializers.Serializer[Any]):
    """What would become of one release."""

    project = serializers.CharField()
    environment = serializers.CharField()
    endpoint = serializers.CharField()
    endpoint_name = serializers.CharField()
    release = serializers.CharField()
    release_number = serializers.IntegerField()
    release_state = serializers.CharField()
    stands = serializers.CharField(
        help_text="As people are told: stopped, or paused, where that is so; else its state"
    )
    target = serializers.CharField()
    action = serializers.ChoiceField(
        choices=EffectAction.values, allow_null=True, help_text="null: it has ended before"
    )
    outcome = serializers.CharField(help_text="What would be done or has been before, in words")
    revoked_by = serializers.CharField(
        allow_null=True,
        help_text="The recall that revoked it before; null also where that is not visible to you",
    )
    fallback = serializers.CharField(allow_null=True)
    aborted_rollout = serializers.CharField(
        allow_null=True, help_text="Of another release, that is to replace this one"
    )
    ran = serializers.BooleanField(help_text="Its node must confirm that nothing runs any more")


class VoidedSerializer(serializers.Serializer[Any]):
    """A release that waits, or did, of which a recall would take something back, or took it."""

    project = serializers.CharField()
    environment = serializers.CharField()
    release = serializers.CharField()
    release_number = serializers.IntegerField()
    release_state = serializers.CharField()
    decision = serializers.BooleanField(help_text="Decisions on it are void then")
    emergency_release = serializers.BooleanField(help_text="Its emergency release ends")


class PreviewSerializer(serializers.Serializer[Any]):
    """What a recall would reach; nothing was written."""

    kind = serializers.ChoiceField(choices=RecallKind.values)
    what = serializers.CharField()
    bentos = serializers.ListField(child=serializers.CharField())
    releases = ForeseenSerializer(many=True)
    voided = VoidedSerializer(many=True, help_text=f"{MOST_VOIDED} at most")
    voided_is_cut = serializers.BooleanField(help_text=CUT)


def preview_body(found: RecallReach, actor: Actor) -> dict[str, Any]:
    """Return what would be reached as JSON values."""
    subject = found.subject
    return {
        "kind": subject.kind,
        "what": subject.what,
        "bentos": list(found.bentos),
        "releases": [_foreseen(impact, actor) for impact in preview(found)],
        **voided_body(voided_by(found)),
    }


def voided_body(releases: QuerySet[Any]) -> dict[str, Any]:
    """Return releases of which something goes void, or went, as JSON values: the first ones, and
    whether there are more."""
    rows = releases.select_related("project", "environment")
    rows = rows.only("number", "state", "project__slug", "environment__name").order_by("pk")
    found = [_voided(row) for row in rows[: MOST_VOIDED + 1]]
    return {"voided": found[:MOST_VOIDED], "voided_is_cut": len(found) > MOST_VOIDED}


def _voided(release: Any) -> dict[str, Any]:
    return {
        "project": release.project.slug,
        "environment": release.environment.name,
        "release": release.pk,
        "release_number": release.number,
        "release_state": release.state,
        "decision": release.voids,
        "emergency_release": release.ends,
    }


def _foreseen(impact: ReleaseImpact, actor: Actor) -> dict[str, Any]:
    release, back = impact.release, impact.fallback
    state, number = release.state, back.number if back else None
    return {
        "project": release.project.slug,
        "environment": release.environment.name,
        "endpoint": release.endpoint_id,
        "endpoint_name": release.endpoint.name,
        "release": release.pk,
        "release_number": release.number,
        "release_state": release.state,
        "stands": impact.stands,
        "target": release.endpoint.target.name,
        "action": would(state, str(impact.action)),
        "outcome": foreseen(
            state,
            impact.action,
            number,
            impact.along,
            impact.serving,
            stopped=release.endpoint.is_stopped,
        ),
        "revoked_by": told_id(impact.revoking, actor),
        "fallback": back.pk if back else None,
        "aborted_rollout": impact.along["id"] if impact.along else None,
        "ran": bool(impact.revisions),
    }
