"""Errors as RFC 9457 problem details: one exception, one body, for every status."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from placet.kernel.actor import INSTANCE, Actor, Scope
from placet.kernel.hooks import Slot


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field. ``pointer`` is a JSON pointer into the request body, or the
    name of a query parameter or header; ``detail`` says what to do."""

    pointer: str
    detail: str


MAX_ERRORS = 100  # of one answer
MAX_POINTER, MAX_DETAIL = 300, 1000  # characters; names and values that a client sent stand in them


class Problem(Exception):
    """An answer that is a refusal, with a stable ``code`` for programs and a sentence for people.

    ``status`` is the HTTP status; ``errors`` name the fields at fault. Subclasses in each app's
    ``errors.py`` fix ``status``, ``code`` and ``title``. ``unsettled``: nobody knows whether it was
    done, so the same request may not simply be carried out again.
    """

    status: int = 400
    code: str = "bad_request"
    title: str = "The request cannot be carried out"
    unsettled: bool = False

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        code: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = list(errors)
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status

    def body(self, *, request_id: str, instance: str = "") -> dict[str, object]:
        """Return the ``application/problem+json`` members, of errors the first hundred."""
        return {
            "type": f"urn:placet:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
            "instance": instance,
            "errors": [
                {"pointer": e.pointer[:MAX_POINTER], "detail": e.detail[:MAX_DETAIL]}
                for e in self.errors[:MAX_ERRORS]
            ],
        }


class InvalidInput(Problem):
    """A field is wrong; ``errors`` say which and what to do."""

    status, code, title = 400, "invalid_input", "Some fields are invalid"


class NotSignedIn(Problem):
    """No session and no token."""

    status, code, title = 401, "not_signed_in", "Sign in, or send an API token"


class Forbidden(Problem):
    """The actor sees the object but may not do this to it."""

    status, code, title = 403, "forbidden", "You don't have access"


# Says in words what an actor lacks at a place (``None``: anywhere), and what to do about it; the
# last are the ids of people who could not do it either, whatever role they have.
Wording = Callable[[Actor, Sequence[str], Scope | None, Collection[str]], str]
wording: Slot[Wording] = Slot("what permissions are called")


class NeedsPermission(Forbidden):
    """The actor lacks a permission at ``scope``; one of several would do.

    ``scope`` is ``None`` where it may be held at whatever place. ``without`` are the ids of people
    whom their role does not help here: they are not named as who could do it.
    """

    def __init__(
        self,
        actor: Actor,
        *permissions: str,
        scope: Scope | None = INSTANCE,
        without: Collection[str] = (),
    ) -> None:
        super().__init__(wording()(actor, permissions, scope, without))


class NotFound(Problem):
    """No such object, or none that the actor may see: the two are not told apart."""

    status, code, title = 404, "not_found", "Not found, or you don't have access"


class WrongMethod(Problem):
    """The address is there, but does not take this method."""

    status, code, title = 405, "method_not_allowed", "This address can't be opened directly"


class LengthRequired(Problem):
    """A body came without its length: nobody can say before reading it whether there is one."""

    status, code, title = 411, "length_required", "Send Content-Length with the body"


class Conflict(Problem):
    """The object's state does not allow this now; ``code`` names the reason."""

    status, code, title = 409, "conflict", "The current state does not allow this"


class QuotaReached(Conflict):
    """There are as many of something as the administrator allows."""

    code, title = "quota_reached", "The quota is used up"

    def __init__(self, what: str, quota: int, *, remedy: str, setting: str) -> None:
        allowed = f"{what}, and {quota:,} are allowed"
        super().__init__(f"{allowed}: {remedy}, or have the administrator raise {setting}")


class Stale(Problem):
    """``If-Match`` names an older state."""

    status, code, title = 412, "stale", "It was changed in the meantime: reload it"


class Unprocessable(Problem):
    """Well-formed, but the meaning is refused."""

    status, code, title = 422, "unprocessable", "The content cannot be accepted"


class PreconditionRequired(Problem):
    """``If-Match`` is missing."""

    status, code, title = 428, "precondition_required", "Send If-Match with the ETag you read"


class TooManyRequests(Problem):
    """The quota of the running minute is used up."""

    status, code, title = 429, "too_many_requests", "Too many requests"


class Unavailable(Problem):
    """The database does not answer, or is too busy."""

    status, code, title = 503, "database_unavailable", "The database is not responding"


class SecretKeyMissing(Problem):
    """There is no key that secrets could be encrypted for."""

    status, code, title = 503, "key_unavailable", "Secrets cannot be encrypted"


class Busy(Problem):
    """So much of it is under way that no more is begun: nothing was done."""

    status, code, title = 503, "busy", "Busy at this moment"


class DatabaseFull(Problem):
    """The database's disk is full: nothing was done."""

    status, code, title = 507, "database_full", "The database is full"


class NoSuchRange(Problem):
    """A download is to go on behind the end of its file."""

    status, code, title = 416, "range_not_satisfiable", "The file has no such bytes"


class TooLarge(Problem):
    """The body is larger than allowed."""

    status, code, title = 413, "too_large", "The body is too large"
