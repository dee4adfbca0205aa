"""Break-glasses as JSON."""

from rest_framework import serializers

from apps.governance.api.serializers import Base
from apps.identity.api.serializers import AssertionSerializer

STATES = ["opened", "confirmed", "ended", "lapsed", "reviewed"]
REVIEWS = ["none", "open", "overdue", "closed"]


class SignerSerializer(Base):
    """One person who opened a break-glass (responder) or confirmed it (approver)."""

    person = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField()
    comment = serializers.CharField()
    passkey = serializers.BooleanField(help_text="The person signed it with a passkey")
    at = serializers.DateTimeField()


class BreakGlassSerializer(Base):
    """An exception for one release. ``running``: what was started by it serves, and nobody has
    closed its review."""

    id = serializers.CharField(source="glass.pk")
    project = serializers.CharField(source="glass.project.slug")
    release = serializers.CharField(source="glass.release_id")
    release_number = serializers.IntegerField(source="glass.release.number")
    release_state = serializers.CharField(source="glass.release.state")
    environment = serializers.CharField(source="glass.release.environment.name")
    endpoint_name = serializers.CharField(source="glass.release.endpoint.name")
    state = serializers.ChoiceField(STATES, source="glass.state")
    reason = serializers.CharField()
    people = serializers.IntegerField(source="glass.people")
    signers = SignerSerializer(many=True)
    statement_digest = serializers.CharField(source="glass.statement_digest")
    opening_digest = serializers.CharField(source="glass.opening_digest")
    opened_at = serializers.DateTimeField(source="glass.opened_at")
    until = serializers.DateTimeField(source="glass.until")
    confirmed_at = serializers.DateTimeField(source="glass.confirmed_at", allow_null=True)
    used_at = serializers.DateTimeField(source="glass.used_at", allow_null=True)
    ended_at = serializers.DateTimeField(source="glass.ended_at", allow_null=True)
    running = serializers.BooleanField()
    review = serializers.ChoiceField(REVIEWS)
    review_due_at = serializers.DateTimeField(source="glass.review_due_at", allow_null=True)
    reviewed_at = serializers.DateTimeField(source="glass.reviewed_at", allow_null=True)
    reviewer = serializers.CharField()
    finding = serializers.CharField(source="glass.finding")
    findings = serializers.CharField()


class NewGlassSerializer(Base):
    """A break-glass to be opened for exactly the request that ``statement_digest`` names."""

    statement_digest = serializers.CharField(max_length=71)
    reason = serializers.CharField(max_length=2000)
    hours = serializers.IntegerField(
        min_value=1, max_value=72, required=False, help_text="As long as the policy allows"
    )


class AskedGlassSerializer(NewGlassSerializer):
    """One that a passkey is to sign: the newest of one's own unless it is named."""

    passkey = serializers.CharField(max_length=40, required=False)


class SignedGlassSerializer(NewGlassSerializer):
    """One, and what the passkey answered where it was asked."""

    assertion = AssertionSerializer(required=False)


class ConfirmationSerializer(Base):
    """A confirmation of exactly what ``opening_digest`` names."""

    opening_digest = serializers.CharField(max_length=71)
    comment = serializers.CharField(max_length=2000, allow_blank=True, required=False)


class AskedConfirmationSerializer(ConfirmationSerializer):
    """A confirmation that a passkey is to sign."""

    passkey = serializers.CharField(max_length=40, required=False)


class SignedConfirmationSerializer(ConfirmationSerializer):
    """A confirmation, and what the passkey answered where it was asked."""

    assertion = AssertionSerializer(required=False)


class GlassReviewSerializer(Base):
    """What a review found."""

    finding = serializers.ChoiceField(["justified", "not_justified"])
    findings = serializers.CharField(max_length=4000)
