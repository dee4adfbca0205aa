"""What serving's routes take and answer."""

from typing import Any

from rest_framework import serializers

from apps.serving.actions.targets import NAME_SAYS, SITE_SAYS
from apps.serving.models import Site
from apps.serving.rules import ENDPOINT_STATES, HEALTH, ISOLATION

SITES: Any = {"invalid_choice": SITE_SAYS}
NAME = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"


class NodeSerializer(serializers.Serializer[Any]):
    """The host of a target, as its agent last reported."""

    id = serializers.CharField()
    alive = serializers.BooleanField(help_text="It was heard of within the last 15 seconds")
    last_seen_at = serializers.DateTimeField(allow_null=True)
    agent_version = serializers.CharField()
    platform = serializers.DictField()
    problems = serializers.ListField(child=serializers.DictField())
    fault = serializers.CharField(help_text="What the platform found wrong; empty for nothing")


class TargetSerializer(serializers.Serializer[Any]):
    """Where Bentos run."""

    id = serializers.CharField()
    name = serializers.CharField()
    driver = serializers.CharField()
    site = serializers.ChoiceField(choices=Site.values)
    labels = serializers.DictField(child=serializers.CharField())
    capacity_mb = serializers.IntegerField()
    url = serializers.CharField()
    on_expired = serializers.ChoiceField(choices=["serve", "stop"])
    owner = serializers.CharField(
        help_text="The id of the person who answers for it; empty while nobody was named"
    )
    created_at = serializers.DateTimeField()
    node = NodeSerializer(allow_null=True)


class TargetChangeSerializer(serializers.Serializer[Any]):
    """What may change about a target."""

    site = serializers.ChoiceField(choices=Site.values, required=False, error_messages=SITES)
    labels = serializers.DictField(child=serializers.CharField(max_length=60), required=False)
    capacity_mb = serializers.IntegerField(min_value=64, max_value=1 << 24, required=False)
    url = serializers.CharField(max_length=200, allow_blank=True, required=False)
    on_expired = serializers.ChoiceField(choices=["serve", "stop"], required=False)
    owner = serializers.CharField(
        max_length=254, required=False, help_text="A person by id or e-mail address"
    )


class NewTargetSerializer(serializers.Serializer[Any]):
    """A target to be added."""

    name = serializers.RegexField(NAME, max_length=60, error_messages={"invalid": NAME_SAYS})
    driver = serializers.CharField(max_length=20, default="node")
    site = serializers.ChoiceField(choices=Site.values, default="on-premise", error_messages=SITES)
    labels = serializers.DictField(child=serializers.CharField(max_length=60), required=False)
    capacity_mb = serializers.IntegerField(min_value=64, max_value=1 << 24, default=4096)
    url = serializers.CharField(max_length=200, allow_blank=True, default="")
    owner = serializers.CharField(
        max_length=254, required=False, help_text="A person by id or e-mail address; else you"
    )


class TargetUseSerializer(serializers.Serializer[Any]):
    """A project, or one environment of it, that may use a target."""

    id = serializers.CharField()
    project = serializers.CharField()
    environment = serializers.CharField(help_text="Empty: every environment of the project")
    note = serializers.CharField(help_text="That there is no such environment yet, or ''")
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewTargetUseSerializer(serializers.Serializer[Any]):
    """Who is to use a target."""

    project = serializers.SlugField(max_length=60)
    environment = serializers.RegexField(
        NAME, max_length=40, required=False, help_text="Left out: every one of the project",
        error_messages={"invalid": "The name of an environment, or leave it out for all of them"},
    )  # fmt: skip


class JoinTokenSerializer(serializers.Serializer[Any]):
    """A token, for once, with which an agent joins; it is shown this once."""

    token = serializers.CharField()
    expires_in_seconds = serializers.IntegerField()


class EgressCountSerializer(serializers.Serializer[Any]):
    """What replicas sent to one destination, as their node counts it."""

    to = serializers.CharField()
    connections = serializers.IntegerField()
    refused = serializers.IntegerField()
    bytes_in = serializers.IntegerField()
    bytes_out = serializers.IntegerField()


def isolation_field(**options: Any) -> serializers.ChoiceField:
    """Return the field of an isolation."""
    return serializers.ChoiceField(choices=[*ISOLATION, ""], **options)


class RevisionSerializer(serializers.Serializer[Any]):
    """One Bento behind an endpoint, and what its node says of it."""

    id = serializers.CharField()
    number = serializers.IntegerField()
    state = serializers.CharField()
    weight = serializers.IntegerField(help_text="Wanted, out of 10,000")
    release = serializers.CharField()
    bento_digest = serializers.CharField()
    version = serializers.CharField()
    replicas = serializers.IntegerField()
    max_replicas = serializers.IntegerField()
    memory_mb = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    live_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    phase = serializers.CharField(help_text="As the node reports it; empty when it does not")
    ready_replicas = serializers.IntegerField()
    applied_weight = serializers.IntegerField()
    unit = serializers.DictField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="What a split treats alike; null: each request is drawn by itself",
    )
    salt = serializers.CharField(help_text="Draws which units this revision gets")
    detail = serializers.CharField()
    egress = serializers.ListField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="All that a replica may reach; null: approved under earlier rules",
    )
    isolation = isolation_field(
        help_text="As the node reports it: `socket` or `link` (a network of its own), `shared` "
        "(the host can give none), `older` (approved under earlier rules); empty when it does not"
    )
    egress_counts = EgressCountSerializer(many=True)


class EndpointSerializer(serializers.Serializer[Any]):
    """The stable name and address that clients call, and what is present behind it."""

    id = serializers.CharField()
    project = serializers.CharField()
    environment = serializers.CharField()
    name = serializers.CharField()
    target = serializers.CharField()
    url = serializers.CharField(help_text="What clients call; empty while the target has none")
    no_address = serializers.CharField(help_text="Why there is no url, or ''")
    state = serializers.ChoiceField(choices=ENDPOINT_STATES)
    health = serializers.ChoiceField(choices=HEALTH)
    isolation = isolation_field(help_text="The weakest of what runs here")
    api_key_required = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    live_revision = serializers.CharField(allow_null=True)
    revisions = RevisionSerializer(many=True)


class NewEndpointSerializer(serializers.Serializer[Any]):
    """An endpoint to be made."""

    name = serializers.RegexField(NAME, max_length=60)
    target = serializers.CharField(max_length=60, help_text="The target's name")
    api_key_required = serializers.BooleanField(
        allow_null=True, default=None,
        help_text="Left out: as the deleted endpoint that had the name last, else false",
    )  # fmt: skip


class ScaleSerializer(serializers.Serializer[Any]):
    """How many replicas."""

    replicas = serializers.IntegerField(min_value=1, max_value=64)


class NewKeySerializer(serializers.Serializer[Any]):
    """An API key to be issued."""

    name = serializers.CharField(max_length=120)


class KeySerializer(serializers.Serializer[Any]):
    """An API key of an endpoint, without its secret, which is never shown again."""

    id = serializers.CharField()
    name = serializers.CharField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)


class IssuedKeySerializer(KeySerializer):
    """A key just made; ``key`` is shown this once."""

    key = serializers.CharField()


class PredictSerializer(serializers.Serializer[Any]):
    """What an endpoint answered to a trial call."""

    status = serializers.IntegerField()
    seconds = serializers.FloatField()
    revision = serializers.CharField()
    release = serializers.CharField()
    model = serializers.CharField()
    body = serializers.JSONField()
