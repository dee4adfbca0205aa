"""What governance's routes take and answer."""

from typing import Any

from rest_framework import serializers

from apps.identity.api.serializers import AssertionSerializer

Base = serializers.Serializer[Any]


class EnvironmentSerializer(Base):
    """A place to serve in, with its targets and its policy in force (``null``: nothing passes)."""

    id = serializers.CharField()
    project = serializers.CharField(source="project.slug")
    name = serializers.CharField()
    position = serializers.IntegerField()
    targets = serializers.SerializerMethodField()
    on_state_expired = serializers.CharField(help_text="serve or stop")
    on_recall = serializers.CharField(help_text="fall_back or stop, when what is live is recalled")
    plans = serializers.DictField(
        child=serializers.DictField(), help_text="Its own plans, ready to be chosen by their names"
    )
    policy = serializers.SerializerMethodField()
    revision = serializers.IntegerField()
    created_at = serializers.DateTimeField()

    def get_targets(self, row: Any) -> list[str]:
        """Names of the targets, in order."""
        return sorted(t.name for t in row.targets.all())

    def get_policy(self, row: Any) -> int | None:
        """Number of the policy in force."""
        return row.published[0].number if row.published else None


class GlassDutySerializer(Base):
    """Whom a policy demands to break the glass, how few could, and what is skipped then."""

    demanded = serializers.IntegerField()
    hours = serializers.IntegerField(help_text="The longest that one lasts")
    skip = serializers.ListField(child=serializers.CharField())
    people = serializers.IntegerField(source="fewest.people", allow_null=True)
    path = serializers.ListField(child=serializers.CharField())


class DutySerializer(Base):
    """How few people could have a release approved in an environment.

    ``state`` is kept, bypass (fewer than demanded), locked_out (nobody could satisfy the policy) or
    no_policy. ``people`` are who they seem to be; ``hired`` is a smaller number with an access
    admin who adds people that do not exist. ``null``: no set of so few was found.
    """

    id = serializers.CharField(source="environment.pk")
    project = serializers.CharField(source="environment.project.slug")
    environment = serializers.CharField(source="environment.name")
    policy = serializers.IntegerField(allow_null=True)
    state = serializers.CharField()
    demanded = serializers.IntegerField()
    people = serializers.IntegerField(source="fewest.people", allow_null=True)
    path = serializers.ListField(child=serializers.CharField())
    hired = serializers.IntegerField(source="hired.people", allow_null=True)
    hired_path = serializers.ListField(child=serializers.CharField())
    break_glass = GlassDutySerializer(allow_null=True)


def targets_field() -> serializers.ListField:
    """Return the field that names targets."""
    says: Any = {"not_a_list": 'must be a list of names: ["local"]'}
    return serializers.ListField(
        child=serializers.CharField(max_length=60), required=False, error_messages=says
    )


class NewEnvironmentSerializer(Base):
    """An environment to be added."""

    name = serializers.CharField(max_length=40)
    position = serializers.IntegerField(min_value=-1000, max_value=1000, required=False)
    targets = targets_field()


class EnvironmentChangeSerializer(Base):
    """What may change about an environment."""

    position = serializers.IntegerField(min_value=-1000, max_value=1000, required=False)
    targets = targets_field()
    on_state_expired = serializers.CharField(required=False, help_text="serve or stop")
    on_recall = serializers.CharField(required=False, help_text="fall_back or stop")
    plans = serializers.DictField(
        child=serializers.DictField(), required=False, help_text="All of its own plans, by name"
    )


class PolicySerializer(Base):
    """A numbered document of gates: the source as written, and the document it means."""

    id = serializers.CharField()
    environment = serializers.CharField(source="environment.name")
    number = serializers.IntegerField()
    state = serializers.CharField(help_text="draft, published or withdrawn")
    source = serializers.CharField()  # type: ignore[assignment]
    document = serializers.JSONField()
    digest = serializers.CharField()
    drafted_by = serializers.CharField()
    published_by = serializers.CharField()
    published_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class PolicySourceSerializer(Base):
    """A policy as people write it: YAML."""

    source = serializers.CharField(  # type: ignore[assignment]
        max_length=70_000, trim_whitespace=False
    )


class GateSerializer(Base):
    """One gate's answer; ``state`` is passed, failed, waiting, error or skipped."""

    gate = serializers.CharField()
    title = serializers.CharField()
    passed = serializers.BooleanField()
    state = serializers.CharField(help_text="passed, failed, waiting, error or skipped")
    reason = serializers.CharField()
    facts = serializers.DictField()


class DryRunSerializer(Base):
    """How one open or live release fares under the policy in force, and under another."""

    release = serializers.CharField(source="release.pk")
    number = serializers.IntegerField(source="release.number")
    state = serializers.CharField(source="release.state")
    passes_now = serializers.BooleanField()
    passes_then = serializers.BooleanField()
    gates = GateSerializer(source="results", many=True)


class DryRunResultSerializer(Base):
    """How open and live releases fare under another policy."""

    digest = serializers.CharField()
    document = serializers.JSONField()
    items = DryRunSerializer(many=True)


class FreezeSerializer(Base):
    """A time in which nothing new starts; ``lifted_at`` is ``null`` while it stands."""

    id = serializers.CharField()
    environment = serializers.CharField(source="environment.name")
    reason = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    lifted_at = serializers.DateTimeField(allow_null=True)


class NewFreezeSerializer(Base):
    """A freeze to be set; without ``ends_at`` it lasts until it is lifted."""

    reason = serializers.CharField(max_length=500)
    starts_at = serializers.DateTimeField(required=False)
    ends_at = serializers.DateTimeField(required=False)


class PresetSerializer(Base):
    """A plan that is ready to be chosen: one of the environment's own, or one of everybody's.
    ``refused`` says what the policy has against it."""

    name = serializers.CharField(help_text='What a release asks for it by: {"preset": name}')
    title = serializers.CharField()
    says = serializers.CharField()
    plan = serializers.DictField()
    refused = serializers.CharField(help_text="What the policy in force has against it, or ''")


class PresetsSerializer(Base):
    """The plans that are ready to be chosen."""

    items = PresetSerializer(many=True)


class PinnedSerializer(Base):
    """A piece of evidence that a request is bound to."""

    id = serializers.CharField()
    kind = serializers.CharField()
    digest = serializers.CharField()


class ReleaseSerializer(Base):
    """A request to serve a Bento behind an endpoint, and what became of it. ``gates`` is the
    last evaluation."""

    id = serializers.CharField()
    number = serializers.IntegerField()
    project = serializers.CharField(source="project.slug")
    environment = serializers.CharField(source="environment.name")
    endpoint = serializers.CharField(source="endpoint.name")
    endpoint_id = serializers.CharField()
    target = serializers.CharField(source="endpoint.target.name", help_text="Where it runs")
    model = serializers.CharField(source="version.model.name")
    version = serializers.IntegerField(source="version.number")
    version_id = serializers.CharField()
    bento_digest = serializers.CharField(source="bento_id")
    policy = serializers.IntegerField(source="policy.number")
    state = serializers.CharField()
    reason = serializers.CharField()
    plan = serializers.JSONField()
    serving = serializers.JSONField()
    evidence = PinnedSerializer(many=True)
    requested_by = serializers.CharField()
    requester = serializers.CharField()
    author = serializers.CharField(source="version.author")
    request_digest = serializers.CharField()
    gates = GateSerializer(many=True)
    not_after = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    approved_at = serializers.DateTimeField(allow_null=True)
    live_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_reason = serializers.CharField()


class NewReleaseSerializer(Base):
    """A release to be asked for. ``endpoint`` is a name, or an id (``end_…``)."""

    model = serializers.CharField(max_length=80)
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    environment = serializers.CharField(max_length=40, required=False)
    endpoint = serializers.CharField(max_length=60)
    bento = serializers.CharField(max_length=71, required=False)
    target = serializers.CharField(max_length=60, required=False)
    plan = serializers.DictField(required=False)
    serving = serializers.DictField(required=False)
    reason = serializers.CharField(max_length=4000, allow_blank=True, required=False)


class DecisionSerializer(Base):
    """A person's signed statement on a release."""

    id = serializers.CharField()
    person = serializers.CharField()
    name = serializers.CharField()
    role = serializers.ChoiceField(["reviewer", "approver"])
    verdict = serializers.ChoiceField(["approve", "reject"])
    comment = serializers.CharField()
    at = serializers.DateTimeField()
    passkey = serializers.BooleanField(help_text="The person signed it with a passkey")
    voided_reason = serializers.CharField()


class NewDecisionSerializer(Base):
    """A decision on exactly the request that ``statement_digest`` names."""

    verdict = serializers.ChoiceField(["approve", "reject"])
    statement_digest = serializers.CharField(max_length=71)
    comment = serializers.CharField(max_length=4000, allow_blank=True, required=False)


class AskedDecisionSerializer(NewDecisionSerializer):
    """A decision that a passkey is to sign: the newest of one's own unless it is named."""

    passkey = serializers.CharField(max_length=40, required=False)


class SignedDecisionSerializer(NewDecisionSerializer):
    """A decision, and what the passkey answered where it was asked."""

    assertion = AssertionSerializer(required=False)


class PublicationSerializer(Base):
    """What the passkey answered, where the policy in force demands one."""

    assertion = AssertionSerializer(required=False)


class CommentSerializer(Base):
    """A remark on a release."""

    id = serializers.CharField()
    author = serializers.CharField()
    name = serializers.CharField()
    text = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewCommentSerializer(Base):
    """A remark to be made."""

    text = serializers.CharField(max_length=4000)


class MetricSerializer(Base):
    """A metric of what is proposed, beside what is live."""

    name = serializers.CharField()
    live = serializers.FloatField(allow_null=True)
    proposed = serializers.FloatField(allow_null=True)
    change = serializers.FloatField(allow_null=True)
    direction = serializers.ChoiceField(["up", "down", "same", "new", "gone"])
    source = serializers.CharField()  # type: ignore[assignment]


class SchemaChangeSerializer(Base):
    """An input or output that differs from what is live."""

    side = serializers.ChoiceField(["input", "output"])
    name = serializers.CharField()
    change = serializers.CharField()
    breaking = serializers.BooleanField()


class DependencySerializer(Base):
    """A locked package whose version differs from what is live."""

    name = serializers.CharField()
    live = serializers.CharField()
    proposed = serializers.CharField()


class ChangesSerializer(Base):
    """How a release differs from what is live."""

    compared_with = serializers.CharField()
    metrics = MetricSerializer(many=True)
    schema = SchemaChangeSerializer(many=True)
    dependencies = DependencySerializer(many=True)
    dependency_count = serializers.IntegerField()
    policy_live = serializers.IntegerField(allow_null=True)
    policy_proposed = serializers.IntegerField()


class BoundSerializer(Base):
    """The digests that a decision on a release is bound to; ``request`` names them all."""

    request = serializers.CharField()
    artifact = serializers.CharField()
    bento = serializers.CharField()
    evidence = serializers.CharField()
    evidence_count = serializers.IntegerField()
    policy = serializers.CharField()
    policy_number = serializers.IntegerField()
    plan = serializers.CharField()
    serving = serializers.CharField()


class DeciderSerializer(Base):
    """Somebody who may still decide, and as what."""

    id = serializers.CharField()
    name = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())


class BarredSerializer(Base):
    """Somebody whose role is missing, and why they cannot count."""

    id = serializers.CharField()
    name = serializers.CharField()
    why = serializers.CharField()


class ReleaseDetailSerializer(Base):
    """A release with everything a person sees before deciding; ``gates`` as they stand now."""

    release = ReleaseSerializer()
    gates = GateSerializer(many=True)
    all_passed = serializers.BooleanField()
    changes = ChangesSerializer()
    bound = BoundSerializer()
    shared_network = serializers.CharField(
        help_text="Why its replicas are not kept from the network, or ''"
    )
    waits_for = serializers.CharField(
        help_text="What it waits for beside its gates, its turn or room on its target, or ''"
    )
    egress_marks = serializers.ListField(
        child=serializers.CharField(),
        help_text="Private, link-local and metadata addresses among its destinations",
    )
    decisions = DecisionSerializer(many=True)
    may_still_decide = DeciderSerializer(many=True)
    cannot_count = BarredSerializer(many=True)
    missing_roles = serializers.ListField(child=serializers.CharField())
    can_decide = serializers.BooleanField()
    you_decide_as = serializers.CharField()
    you_cannot_count = serializers.CharField(help_text="Why not, or ''")
    requester_name = serializers.CharField()
    author_name = serializers.CharField()
