"""People."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.api.lookups import one
from apps.identity.api.matching import match_for
from apps.identity.models import User
from apps.identity.queries import visible_people
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView, etag


class PersonSerializer(serializers.Serializer[Any]):
    """Somebody with an account."""

    id = serializers.CharField()
    email = serializers.CharField()
    name = serializers.CharField()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    last_sign_in_at = serializers.DateTimeField(source="last_login", allow_null=True)
    reactivated_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When they were last let in again, if ever; until they sign in after that they "
        "count as not yet signed in",
    )


class NewPersonSerializer(serializers.Serializer[Any]):
    """A person to be added."""

    email = serializers.CharField(max_length=254)
    name = serializers.CharField(max_length=120)


class PersonChangeSerializer(serializers.Serializer[Any]):
    """What may change about a person."""

    name = serializers.CharField(max_length=120)


class SetupLinkSerializer(serializers.Serializer[Any]):
    """A link, for once, with which a person sets a first password."""

    url = serializers.CharField()


def person_tag(person: User) -> str:
    """Return the ETag of a person."""
    return etag(person.pk, person.name, person.is_active)


def person_answer(person: User, status: int = 200) -> Response:
    """Answer with one person."""
    headers = {"ETag": person_tag(person)}
    if status == 201:
        headers["Location"] = f"/api/v1/people/{person.pk}"
    return Response(PersonSerializer(person).data, status=status, headers=headers)


class PersonList(ListView):
    """People."""

    @extend_schema(operation_id="people_list", responses=page_of(PersonSerializer))
    def get(self, request: Request) -> Response:
        """List people: everybody if you administer or audit access, else yourself."""
        rows = visible_people(self.actor)
        return self.page(rows, many(PersonSerializer))

    @extend_schema(
        operation_id="people_create",
        request=NewPersonSerializer,
        responses={201: PersonSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a person, who sets a password through a set-up link."""
        data: Any = self.body(NewPersonSerializer)
        return person_answer(actions.create_person(**data, actor=self.actor), 201)


class PersonDetail(PlacetView):
    """One person."""

    @extend_schema(operation_id="people_read", responses=PersonSerializer)
    def get(self, request: Request, person: str) -> Response:
        """Read a person."""
        return person_answer(one(visible_people(self.actor), person))

    @extend_schema(
        operation_id="people_update",
        request=PersonChangeSerializer,
        responses=PersonSerializer,
    )
    def patch(self, request: Request, person: str) -> Response:
        """Change a person's name. Needs If-Match."""
        row = one(visible_people(self.actor), person)
        data: Any = self.body(PersonChangeSerializer)
        match_for("access.manage", None, person_tag(row), asked=self)
        return person_answer(actions.update_person(row, **data, actor=self.actor))


class PersonDeactivate(PlacetView):
    """Ending a person's access."""

    @extend_schema(operation_id="people_deactivate", request=None, responses=PersonSerializer)
    def post(self, request: Request, person: str) -> Response:
        """End a person's access: sign-in, sessions, tokens, and the tokens of their services."""
        row = one(visible_people(self.actor), person)
        return person_answer(actions.deactivate_person(row, actor=self.actor))


class PersonReactivate(PlacetView):
    """Letting a person in again."""

    @extend_schema(operation_id="people_reactivate", request=None, responses=PersonSerializer)
    def post(self, request: Request, person: str) -> Response:
        """Let a deactivated person in again; they need a new set-up link."""
        row = one(visible_people(self.actor), person)
        return person_answer(actions.reactivate_person(row, actor=self.actor))


class PersonErase(PlacetView):
    """Erasing a person."""

    @extend_schema(operation_id="people_erase", request=None, responses=PersonSerializer)
    def post(self, request: Request, person: str) -> Response:
        """Erase a deactivated person: name, address, and every text of theirs. It is for ever."""
        row = one(visible_people(self.actor), person)
        return person_answer(actions.erase_person(row, actor=self.actor))


class PersonEndSessions(PlacetView):
    """Signing a person out everywhere."""

    @extend_schema(operation_id="people_end_sessions", request=None, responses=PersonSerializer)
    def post(self, request: Request, person: str) -> Response:
        """Sign a person out in every browser; their tokens stay."""
        row = one(visible_people(self.actor), person)
        return person_answer(actions.end_sessions(row, actor=self.actor))


class PersonSetupLink(PlacetView):
    """A first password."""

    @extend_schema(
        operation_id="people_setup_link", request=None, responses={201: SetupLinkSerializer}
    )
    def post(self, request: Request, person: str) -> Response:
        """Make a one-time link for a person who has no password yet."""
        row = one(visible_people(self.actor), person)
        path = actions.setup_link(row, actor=self.actor)
        return Response({"url": settings.CSRF_TRUSTED_ORIGINS[0] + path}, status=201)
