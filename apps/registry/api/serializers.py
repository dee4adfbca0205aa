"""What the registry's routes take and answer."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.registry.models import DeclaredFact, EvidenceSource, VersionState
from apps.registry.rules import KINDS, TYPES
from placet.kernel.api.serializers import Serializer

_COLUMN = {
    "type": "object",
    "required": ["name", "type"],
    "properties": {
        "name": {"type": "string"},
        "type": {"type": "string", "enum": list(TYPES)},
        "required": {"type": "boolean", "default": True},
        "shape": {"type": "array", "items": {"type": "integer"}},
    },
}
_COLUMNS = {"type": "array", "items": _COLUMN}


@extend_schema_field(
    {
        "type": "object",
        "required": ["inputs", "outputs"],
        "properties": {"inputs": _COLUMNS, "outputs": _COLUMNS},
    }
)
class SignatureField(serializers.JSONField):
    """A signature; judged by the registry's rules."""


@extend_schema_field({"type": "array", "items": {"type": "object"}})
class RowsField(serializers.JSONField):
    """Example rows."""


@extend_schema_field({"type": "array", "items": {}})
class OutputsField(serializers.JSONField):
    """Expected outputs, one per example row."""


@extend_schema_field({"type": "object", "additionalProperties": {}})
class ObjectField(serializers.JSONField):
    """An object by name."""


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class TagsField(serializers.JSONField):
    """Texts by name."""


def requirements_field(**options: Any) -> serializers.ListField:
    """Return the field of requirement lines."""
    return serializers.ListField(child=serializers.CharField(), **options)


def variables_field(**options: Any) -> serializers.ListField:
    """Return the field of the names of variables; judged by the registry's rules."""
    return serializers.ListField(
        child=serializers.CharField(trim_whitespace=False, allow_blank=True),
        help_text="The names of variables that the version reads, and a release may set",
        **options,
    )


class ModelSerializer(Serializer):
    """A named model."""

    id = serializers.CharField()
    project = serializers.CharField(source="project.slug")
    name = serializers.CharField()
    description = serializers.CharField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    version_count = serializers.IntegerField()
    latest_number = serializers.IntegerField(allow_null=True)
    latest_state = serializers.ChoiceField(choices=VersionState.values, allow_null=True)


class NewModelSerializer(Serializer):
    """A model to be registered."""

    name = serializers.CharField(max_length=80)
    description = serializers.CharField(required=False, allow_blank=True)


class ModelChangeSerializer(Serializer):
    """What may change about a model."""

    description = serializers.CharField(allow_blank=True)


class VersionSummarySerializer(Serializer):
    """A version as lists show it."""

    id = serializers.CharField()
    project = serializers.CharField(source="model.project.slug")
    model = serializers.CharField(source="model.name")
    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=VersionState.values)
    format = serializers.CharField()
    artifact_digest = serializers.CharField()
    author = serializers.CharField()
    created_by = serializers.CharField()
    tags = TagsField()
    created_at = serializers.DateTimeField()
    finalised_at = serializers.DateTimeField(allow_null=True)


class FileSerializer(Serializer):
    """One file of a version."""

    id = serializers.CharField()
    path = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()


class VersionSerializer(VersionSummarySerializer):
    """A version with all its facts but its evidence; frozen once it is finalised."""

    python_version = serializers.CharField()
    requirements = requirements_field()
    variables = variables_field()
    parameters = ObjectField()
    lineage = ObjectField()
    signature = SignatureField(allow_null=True)
    example = RowsField(allow_null=True)
    expected = OutputsField(allow_null=True)
    card = serializers.CharField()
    files = FileSerializer(many=True)


class DraftSerializer(Serializer):
    """What is frozen when a version is finalised."""

    format = serializers.CharField(required=False, allow_blank=True)
    python_version = serializers.CharField(required=False, allow_blank=True)
    requirements = requirements_field(required=False)
    variables = variables_field(required=False)
    parameters = ObjectField(required=False)
    lineage = ObjectField(required=False)
    signature = SignatureField(required=False, allow_null=True)
    example = RowsField(required=False, allow_null=True)
    expected = OutputsField(required=False, allow_null=True)


class NewVersionSerializer(DraftSerializer):
    """A version to be created."""

    tags = TagsField(required=False)
    card = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)


class TagsSerializer(Serializer):
    """All tags of a version."""

    tags = TagsField()


class FaultSerializer(Serializer):
    """One thing that a draft lacks or has wrong."""

    pointer = serializers.CharField()
    detail = serializers.CharField()


class MissingSerializer(Serializer):
    """What a draft lacks before it can be finalised."""

    missing = FaultSerializer(many=True)


class CardSerializer(Serializer):
    """A model card: Markdown with YAML front matter."""

    card = serializers.CharField(allow_blank=True, trim_whitespace=False)


class RenderedCardSerializer(CardSerializer):
    """A model card as it was written, its front matter, and its Markdown as sanitised HTML."""

    data = ObjectField()  # type: ignore[assignment]
    html = serializers.CharField()


class StorageSerializer(serializers.Serializer[Any]):
    """How many bytes a project's files take, and how many they may; a quota of 0 is none."""

    used = serializers.IntegerField(
        help_text="Bytes, announced uploads included; equal contents once"
    )
    quota = serializers.IntegerField(help_text="Bytes; 0 is no limit")


class NewUploadSerializer(Serializer):
    """A file to be uploaded."""

    path = serializers.CharField(trim_whitespace=False)
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    archive = serializers.BooleanField(required=False, default=False)


class UploadSerializer(Serializer):
    """A file on its way in; ``received`` is the offset of the next chunk."""

    id = serializers.CharField()
    path = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    archive = serializers.BooleanField()
    received = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class StartedUploadSerializer(Serializer):
    """Where to send a file's bytes, or the file when the server has them."""

    upload = UploadSerializer(allow_null=True)
    file = FileSerializer(allow_null=True)


class FinishedUploadSerializer(Serializer):
    """The files that an upload became."""

    files = FileSerializer(many=True)


class AliasSerializer(Serializer):
    """A name that points at a version; ``managed_by`` an endpoint when releases move it."""

    name = serializers.CharField()
    version = serializers.IntegerField(source="version.number")
    version_id = serializers.CharField()
    managed_by = serializers.CharField()


class AliasTargetSerializer(Serializer):
    """The number of the version that an alias is to name."""

    version = serializers.IntegerField(min_value=1)


class EvidenceSerializer(Serializer):
    """A fact about a version, reported by somebody or measured by Placet."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=list(KINDS))
    source = serializers.ChoiceField(choices=EvidenceSource.values)  # type: ignore[assignment]
    data = ObjectField()  # type: ignore[assignment]
    digest = serializers.CharField()
    bento_digest = serializers.CharField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewEvidenceSerializer(Serializer):
    """A fact to be reported."""

    kind = serializers.CharField()
    data = ObjectField()  # type: ignore[assignment]
    source = serializers.CharField(required=False)  # type: ignore[assignment]
    bento_digest = serializers.CharField(required=False, allow_blank=True)


class SigningKeySerializer(Serializer):
    """A key whose signatures over models a project trusts."""

    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    fingerprint = serializers.CharField()
    pem = serializers.CharField()
    valid_until = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    revoked_by = serializers.CharField()


class NewSigningKeySerializer(Serializer):
    """A key to be trusted."""

    label = serializers.CharField()  # type: ignore[assignment]
    pem = serializers.CharField()
    valid_until = serializers.DateTimeField(required=False, allow_null=True)


class DeclarationSerializer(Serializer):
    """Somebody said who owns a data set, or who wrote the code that trained a version."""

    id = serializers.CharField()
    fact = serializers.ChoiceField(DeclaredFact.values)
    about = serializers.CharField(help_text="Digest of the data set, or id of the version")
    person = serializers.CharField()
    declared_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewDeclarationSerializer(Serializer):
    """A declaration to be made; it stays."""

    fact = serializers.ChoiceField(DeclaredFact.values)
    about = serializers.CharField(
        max_length=71, help_text="Digest of the data set (sha256:…), or id of the version (ver_…)"
    )
    person = serializers.CharField(max_length=254, help_text="Whom it names: id or e-mail address")


class ChangeSerializer(Serializer):
    """One line of a comparison; ``change`` is the difference of two numbers."""

    name = serializers.CharField()
    before = serializers.JSONField()
    after = serializers.JSONField()
    state = serializers.ChoiceField(choices=["same", "changed", "added", "removed"])
    change = serializers.FloatField(allow_null=True)


class SideSerializer(Serializer):
    """One side of a comparison."""

    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    number = serializers.IntegerField()
    artifact_digest = serializers.CharField()
    format = serializers.CharField()
    python_version = serializers.CharField()


class ComparisonSerializer(Serializer):
    """How version ``b`` differs from version ``a``; ``card`` is a unified diff."""

    a = SideSerializer()
    b = SideSerializer()
    metrics = ChangeSerializer(many=True)
    parameters = ChangeSerializer(many=True)
    inputs = ChangeSerializer(many=True)
    outputs = ChangeSerializer(many=True)
    requirements = ChangeSerializer(many=True)
    files = ChangeSerializer(many=True)
    card = serializers.ListField(child=serializers.CharField(allow_blank=True))
