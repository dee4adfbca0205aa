"""A POST repeated under its ``Idempotency-Key`` is answered as it was the first time."""

import hashlib
from collections.abc import Callable

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from apps.identity.actions.idempotency import StoredResponse, begin, finish, forget
from apps.identity.errors import AnswerWithheld, BadIdempotencyKey, Reauthenticate
from apps.identity.sign_in.freshness import demand_fresh
from placet.kernel.actor import Actor
from placet.kernel.api.errors import render
from placet.kernel.problems import Problem

KEPT_HEADERS = ("Content-Type", "ETag", "Location", "Link", "Cache-Control")
RIGHTS = "Placet-Rights"  # kept with an answer that holds a secret, and never sent
UNSTORED = frozenset({400, 401, 429})


class IdempotencyMiddleware:
    """Replays a POST to ``/api/v1/`` that was answered before under the same key.

    The key is looked up before anything else happens. The same key with another method, path or
    body is 422; while the first request has no recorded answer it is 409. Server errors, 401, 429
    and what asks the person to authenticate again are not kept, nor is 400: nothing was done, the
    same body is refused again, and they would fill the disk. Keys belong to one token, or to one
    person's sessions: a token that may do less is not answered with what another one was. Bodies
    are stored encrypted, because some hold a secret that is shown once; these are answered again
    only while whoever asks may do exactly what they might then, and has just shown who they are.
    Bodies that are not JSON (uploads) are not covered: they resume by offset.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Replay, refuse, or carry out and remember."""
        key = request.headers.get("Idempotency-Key")
        actor: Actor = request.actor  # type: ignore[attr-defined]
        if key is None or not covered(request, actor):
            return self.get_response(request)
        try:
            if not (1 <= len(key) <= 200 and key.isascii() and key.isprintable()):
                raise BadIdempotencyKey
            fingerprint = request_hash(request)
        except Problem as refusal:
            return render(refusal, request)
        except RequestDataTooBig:
            return self.get_response(request)  # which refuses it in its own words
        return self.once(request, actor, key, fingerprint)

    def once(self, request: HttpRequest, actor: Actor, key: str, fingerprint: str) -> HttpResponse:
        """Carry the request out unless its answer is on record."""
        try:
            record, answer = begin(
                actor_id=actor.token or actor.id, key=key, request_hash=fingerprint
            )
        except Problem as refusal:
            return render(refusal, request)
        if answer is not None:
            return replay_to(actor, answer, request)
        try:
            response = self.get_response(request)
        except BaseException:
            forget(record)
            raise
        if getattr(response, "unsettled", False):
            return response  # the key stays in progress, as after a process that was killed
        if passing(response) or response.streaming:
            forget(record)
        else:
            headers = {name: response[name] for name in KEPT_HEADERS if name in response}
            if response.get("Cache-Control") == "no-store":
                headers[RIGHTS] = rights(actor)
            finish(record, status=response.status_code, headers=headers, body=response.content)
        return response


def covered(request: HttpRequest, actor: Actor) -> bool:
    """Tell whether this request is one that may be replayed."""
    return (
        request.method == "POST"
        and request.path_info.startswith("/api/v1/")
        and actor.kind != "anonymous"
        and request.content_type in ("application/json", "", None)
    )


def passing(response: HttpResponse) -> bool:
    """Tell whether the same request may be answered otherwise in a moment."""
    body = getattr(response, "data", None)
    stale = isinstance(body, dict) and body.get("code") == Reauthenticate.code
    return stale or response.status_code >= 500 or response.status_code in UNSTORED


def request_hash(request: HttpRequest) -> str:
    """Return the digest of method, path with query, and body, under a key of this installation's:
    a body may hold a secret, and whoever has the row alone could hold guesses against a plain one.
    """
    head = f"{request.method}\n{request.get_full_path()}\n".encode()
    return salted_hmac("placet.idempotency", head + request.body, algorithm="sha256").hexdigest()


def rights(actor: Actor) -> str:
    """Return a digest of all that ``actor`` may do."""
    grants = sorted(repr(grant) for grant in actor.grants)
    return hashlib.sha256("\n".join(grants).encode()).hexdigest()


def replay_to(actor: Actor, answer: StoredResponse, request: HttpRequest) -> HttpResponse:
    """Return the recorded answer, or why one that holds a secret is not shown again."""
    try:
        headers = shown_again(actor, answer)
    except Problem as refusal:
        return render(refusal, request)
    return replay(answer.status, headers, answer.body)


def shown_again(actor: Actor, answer: StoredResponse) -> dict[str, str]:
    """Return the headers of a recorded answer, or refuse it: it holds a secret, and ``actor`` may
    do other things than when it was given, or has not just shown who they are."""
    held = answer.headers.get(RIGHTS)
    if held is not None:
        demand_fresh(actor)
        if held != rights(actor):
            raise AnswerWithheld
    return {name: value for name, value in answer.headers.items() if name != RIGHTS}


def replay(status: int, headers: dict[str, str], body: bytes) -> HttpResponse:
    """Return the recorded answer, marked as a replay."""
    response = HttpResponse(body, status=status)
    del response["Content-Type"]
    for name, value in headers.items():
        response[name] = value
    response["Idempotency-Replayed"] = "true"
    return response
