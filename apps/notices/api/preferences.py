"""How somebody wants to be told."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.lookups import named_project
from apps.notices import actions, queries
from apps.notices.rules import KINDS, USUAL, WAYS
from placet.kernel.actor import Actor
from placet.kernel.api.views import PlacetView
from placet.kernel.config import config

KIND_NAMES = list(KINDS)
WAY_NAMES = list(WAYS)
CHOSEN_WAYS = [*WAYS, USUAL]


class NoticeChoiceSerializer(serializers.Serializer[Any]):
    """How one is told of one kind of things."""

    kind = serializers.ChoiceField(choices=KIND_NAMES)
    title = serializers.CharField(help_text="What the kind is called")
    way = serializers.ChoiceField(choices=WAY_NAMES)
    is_chosen = serializers.BooleanField(help_text="false: it is what is usual")


class ProjectChoiceSerializer(serializers.Serializer[Any]):
    """How one is told of one kind of things in one project, in place of what holds elsewhere."""

    project = serializers.CharField(help_text="Its slug")
    kind = serializers.ChoiceField(choices=KIND_NAMES)
    way = serializers.ChoiceField(choices=WAY_NAMES)


class NoticePreferencesSerializer(serializers.Serializer[Any]):
    """How one is told by mail."""

    is_mail_set_up = serializers.BooleanField(
        help_text="false: Placet has no mail server, and mails nobody until an operator sets one"
    )
    kinds = NoticeChoiceSerializer(many=True)
    projects = ProjectChoiceSerializer(many=True, help_text="What is chosen for single projects")


class NewNoticeChoiceSerializer(serializers.Serializer[Any]):
    """How one wants to be told of one kind of things."""

    kind = serializers.ChoiceField(choices=KIND_NAMES)
    way = serializers.ChoiceField(
        choices=CHOSEN_WAYS, help_text="`usual` takes back what was chosen"
    )
    project = serializers.CharField(
        max_length=60, allow_null=True, default=None, help_text="A slug; null: in all projects"
    )


def preferences_body(actor: Actor) -> dict[str, Any]:
    """Return how ``actor`` is told as JSON values (two queries)."""
    return {
        "is_mail_set_up": bool(config().email_url),
        "kinds": [
            {"kind": c.kind.name, "title": c.kind.title, "way": c.way, "is_chosen": c.is_chosen}
            for c in queries.choices_of(actor)
        ],
        "projects": [
            {"project": row.project.slug, "kind": row.kind.name, "way": row.way}
            for row in queries.project_preferences(actor)
        ],
    }


class NoticePreferenceList(PlacetView):
    """How one wants to be told."""

    @extend_schema(operation_id="notices_preferences", responses=NoticePreferencesSerializer)
    def get(self, request: Request) -> Response:
        """Read how you are told by mail of what concerns you."""
        actions.refuse_program(self.actor)
        return Response(preferences_body(self.actor))

    @extend_schema(
        operation_id="notices_choose",
        request=NewNoticeChoiceSerializer,
        responses=NoticePreferencesSerializer,
    )
    def post(self, request: Request) -> Response:
        """Choose how you are told of one kind of things, in one project or in all of them."""
        data: Any = self.body(NewNoticeChoiceSerializer)
        project = named_project(data["project"], self.actor)
        actions.choose(data["kind"], way=data["way"], project=project, actor=self.actor)
        return Response(preferences_body(self.actor))
