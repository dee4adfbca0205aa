"""What identity's routes take and answer."""

from typing import Any

from rest_framework import serializers

from apps.identity.models import ApproverPasskey, LineOfDefence
from apps.identity.rules import MOST_BYTES, ROLES, SCOPES
from apps.identity.trust.passkeys import public_half


class ProjectSerializer(serializers.Serializer[Any]):
    """The scope of models and roles."""

    id = serializers.CharField()
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    artifact_quota = serializers.IntegerField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewProjectSerializer(serializers.Serializer[Any]):
    """A project to be made."""

    slug = serializers.CharField(max_length=60)
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=10_000, allow_blank=True, required=False)


class ProjectChangeSerializer(serializers.Serializer[Any]):
    """What may change about a project."""

    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(max_length=10_000, allow_blank=True, required=False)
    artifact_quota = serializers.IntegerField(
        min_value=0, max_value=MOST_BYTES, required=False,
        help_text="Most bytes that files of versions may take; 0 is no limit",
    )  # fmt: skip


class PersonSerializer(serializers.Serializer[Any]):
    """Somebody with an account."""

    id = serializers.CharField()
    email = serializers.CharField()
    name = serializers.CharField()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class NewPersonSerializer(serializers.Serializer[Any]):
    """A person to be added."""

    email = serializers.CharField(max_length=254)
    name = serializers.CharField(max_length=120)


class PersonChangeSerializer(serializers.Serializer[Any]):
    """What may change about a person."""

    name = serializers.CharField(max_length=120)


class PositionSerializer(serializers.Serializer[Any]):
    """Where a person stands: line of defence, and to whom they report.

    Without a manager, and not at the top, their line is not known.
    """

    person = serializers.CharField(source="person_id")
    line = serializers.ChoiceField(LineOfDefence.values, help_text="Line of defence; '': not set")
    manager = serializers.CharField(source="manager_id", allow_null=True)
    top = serializers.BooleanField(help_text="Reports to nobody: reporting lines end here")
    set_by = serializers.CharField(help_text="Who said so, '' where nobody has")
    set_at = serializers.DateTimeField(allow_null=True)


class NewPositionSerializer(serializers.Serializer[Any]):
    """Where a person stands from now on; what is left out is not known any more."""

    line = serializers.ChoiceField(
        LineOfDefence.values, required=False, help_text="Line of defence; '': not known"
    )
    manager = serializers.CharField(
        max_length=40, required=False, allow_null=True, help_text="Whom they report to, by id"
    )
    top = serializers.BooleanField(required=False, help_text="They report to nobody")


class SetupLinkSerializer(serializers.Serializer[Any]):
    """A link, for once, with which a person sets a first password."""

    url = serializers.CharField()


class TeamSerializer(serializers.Serializer[Any]):
    """People who hold roles together."""

    id = serializers.CharField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewTeamSerializer(serializers.Serializer[Any]):
    """A team to be made."""

    name = serializers.CharField(max_length=120)


class MemberSerializer(serializers.Serializer[Any]):
    """A person in a team."""

    id = serializers.CharField()
    person = serializers.CharField(source="person_id")
    name = serializers.CharField(source="person.name")


class NewMemberSerializer(serializers.Serializer[Any]):
    """A person to be put into a team."""

    person = serializers.CharField(max_length=40)


class ServiceAccountSerializer(serializers.Serializer[Any]):
    """A program's account; its owner answers for it."""

    id = serializers.CharField()
    name = serializers.CharField()
    owner = serializers.CharField(source="owner_id")
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class NewServiceAccountSerializer(serializers.Serializer[Any]):
    """A service account to be made; ``owner`` is the id of the person who answers for it."""

    name = serializers.CharField(max_length=60)
    owner = serializers.CharField(max_length=40)


class RoleSerializer(serializers.Serializer[Any]):
    """A role that somebody holds, in a project, an environment, or everywhere (no project)."""

    id = serializers.CharField()
    role = serializers.CharField()
    person = serializers.CharField(source="person_id", allow_null=True)
    team = serializers.CharField(source="team_id", allow_null=True)
    service_account = serializers.CharField(source="service_account_id", allow_null=True)
    project = serializers.CharField(source="project.slug", default=None, allow_null=True)
    environment = serializers.CharField()
    granted_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewRoleSerializer(serializers.Serializer[Any]):
    """A role to be granted: one subject by id, and a place by project slug and environment."""

    role = serializers.ChoiceField(choices=sorted(ROLES))
    person = serializers.CharField(max_length=40, required=False)
    team = serializers.CharField(max_length=40, required=False)
    service_account = serializers.CharField(max_length=40, required=False)
    project = serializers.CharField(max_length=60, required=False)
    environment = serializers.CharField(max_length=40, required=False, allow_blank=True)


class TokenSerializer(serializers.Serializer[Any]):
    """An API token, without its secret."""

    id = serializers.CharField()
    name = serializers.CharField()
    prefix = serializers.CharField()
    person = serializers.CharField(source="person_id", allow_null=True)
    service_account = serializers.CharField(source="service_account_id", allow_null=True)
    scopes = serializers.ListField(child=serializers.CharField())
    project = serializers.CharField(source="project.slug", default=None, allow_null=True)
    expires_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class NewTokenSerializer(serializers.Serializer[Any]):
    """A token to be issued, for oneself or a service account one owns."""

    name = serializers.CharField(max_length=120)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(SCOPES)), min_length=1, max_length=200
    )
    expires_at = serializers.DateTimeField()
    project = serializers.CharField(max_length=60, required=False)
    service_account = serializers.CharField(max_length=40, required=False)


class IssuedTokenSerializer(TokenSerializer):
    """A token just made; ``secret`` is shown this once."""

    secret = serializers.CharField()


class AssertionSerializer(serializers.Serializer[Any]):
    """A passkey's answer (``AuthenticatorAssertionResponse``), each part in base64url."""

    credential = serializers.CharField(max_length=1400)
    authenticator_data = serializers.CharField(max_length=2000)
    client_data = serializers.CharField(max_length=4000)
    signature = serializers.CharField(max_length=2000)


class AssertedSerializer(serializers.Serializer[Any]):
    """What a passkey answered to the challenge that was asked for before."""

    assertion = AssertionSerializer()


class ChosenPasskeySerializer(serializers.Serializer[Any]):
    """Which of one's enrolled passkeys is to sign; the newest unless it is named."""

    passkey = serializers.CharField(max_length=40, required=False)


class ChallengeSerializer(serializers.Serializer[Any]):
    """What the browser asks the authenticator, for five minutes and once."""

    challenge = serializers.CharField(help_text="base64url; SHA-256 of the statement")
    rp_id = serializers.CharField()
    credential = serializers.CharField()
    timeout_ms = serializers.IntegerField()
    user_verification = serializers.ChoiceField(choices=["required"])


class OfferSerializer(serializers.Serializer[Any]):
    """One of the passkeys that one signs in with, by its number."""

    authenticator = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class NewPasskeySerializer(OfferSerializer):
    """A passkey that is offered to sign decisions with."""

    name = serializers.CharField(max_length=120)
    assertion = AssertionSerializer()


class PasskeySerializer(serializers.Serializer[Any]):
    """A passkey that a person signs decisions with, and who vouches for it.

    ``vouched_by`` is the person whose passkey enrolled it; ``null`` while it is offered, and for
    those that the root key enrolled.
    """

    id = serializers.CharField()
    person = serializers.CharField(source="person_id")
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=["offered", "enrolled", "withdrawn"])
    fingerprint = serializers.SerializerMethodField()
    rp_id = serializers.CharField()
    vouched_by = serializers.CharField(source="vouched_by.person_id", default=None, allow_null=True)
    created_at = serializers.DateTimeField()
    enrolled_at = serializers.DateTimeField(allow_null=True)
    withdrawn_at = serializers.DateTimeField(allow_null=True)

    def get_fingerprint(self, row: ApproverPasskey) -> str:
        """SHA-256 of the public key: what two people compare."""
        return public_half(row).fingerprint


class GrantSerializer(serializers.Serializer[Any]):
    """One permission, and where it holds."""

    permission = serializers.CharField()
    project = serializers.CharField(allow_null=True)
    environment = serializers.CharField(allow_null=True)
    role = serializers.CharField()


class WhoamiSerializer(serializers.Serializer[Any]):
    """Who asks, and for whom, and what they may do."""

    kind = serializers.ChoiceField(choices=["person", "service"])
    id = serializers.CharField()
    name = serializers.CharField()
    accountable = serializers.CharField()
    token = serializers.CharField(allow_null=True)
    second_factor = serializers.BooleanField()
    grants = GrantSerializer(many=True)
