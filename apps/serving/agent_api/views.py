"""The nodes' door. Every request but ``keys`` is signed by the node's own key."""

import json
import re

from django.http import FileResponse, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.builds.models import Runtime
from apps.registry.store import store
from apps.serving import actions, queries
from apps.serving.agent_api.signing import check_signature, node_of
from apps.serving.agent_api.waiting import Poll, other_state, wait_for_news
from apps.serving.errors import NewerPoll, malformed
from apps.serving.models import Node
from placet.kernel.api.files import file_response
from placet.kernel.api.parsers import strict_loads
from placet.kernel.clock import now
from placet.kernel.keystore import keys_document, root_public
from placet.kernel.problems import FieldError, InvalidInput, NotFound
from placet.kernel.waiting import WAITED
from placet_protocol.fields import ProtocolError
from placet_protocol.joining import JoinReply, KeysReply, read_join
from placet_protocol.node_secrets import SealedReply
from placet_protocol.report import ReportReply
from placet_protocol.runtimes import write_manifest

_HEX = re.compile(r"[0-9a-f]{64}")


@extend_schema(exclude=True)
class AgentView(APIView):
    """A view for nodes: no session, no token, no permission of a person."""

    authentication_classes = ()
    permission_classes = ()

    def node(self, request: Request) -> Node:
        """Return the node that signed the request."""
        return node_of(request._request)


class KeysView(AgentView):
    """The public keys, open to everybody: they prove themselves by the root's signature."""

    def get(self, request: Request) -> Response:
        """Return the root key and ``keys.json``."""
        root = root_public().to_base64()
        return Response(KeysReply(v=1, root_public=root, keys=json.loads(keys_document())))


class JoinView(AgentView):
    """Where a node brings its token."""

    def post(self, request: Request) -> Response:
        """Join a target: the request is signed by the key that the node brings."""
        try:
            join = read_join(strict_loads(request._request.body))
        except ProtocolError as error:
            raise malformed(error) from error
        check_signature(request._request, join["public_key"])
        node = actions.join_node(
            join["token"], public_key=join["public_key"], platform=join["platform"]
        )
        target = node.target
        reply = JoinReply(v=1, node=node.pk, target=target.pk, target_name=target.name)
        return Response(reply, status=201)


class StateView(AgentView):
    """The signed desired state."""

    def get(self, request: Request) -> HttpResponse:
        """Return the state as soon as it differs from the one the node has; 204 if it does not."""
        epoch, newest, seconds = (number(request, name) for name in ("epoch", "number", "wait"))
        poll: Poll | None = request.META.get(WAITED)
        node = node_of(request._request, came=poll.came if poll is not None else None)
        if poll is None:
            Node.objects.filter(pk=node.pk).update(last_seen_at=now())
        elif poll.newer:
            raise NewerPoll
        if state := other_state(node.target_id, (epoch, newest)):
            return HttpResponse(state, content_type="application/json")
        if poll is None and seconds:
            wait_for_news(request._request, Poll.of(node, (epoch, newest), seconds))
        return HttpResponse(status=204)


def number(request: Request, name: str) -> int:
    """Return a whole number of the query string, 0 when it is not there."""
    text = request.query_params.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 17):
        raise InvalidInput(errors=[FieldError(name, "Must be a whole number")])
    return int(text)


class ReportView(AgentView):
    """What a node observes."""

    def post(self, request: Request) -> Response:
        """Take in a signed report."""
        node = actions.receive_report(self.node(request), request._request.body)
        return Response(ReportReply(v=1, number=node.report_number))


class BlobView(AgentView):
    """A Bento archive or a wheel."""

    def get(self, request: Request, sha256: str) -> FileResponse:
        """Stream a blob that this node's state needs, or the rest of it; any other is 404."""
        node = self.node(request)
        if not _HEX.fullmatch(sha256) or not queries.may_fetch(node.target, sha256):
            raise NotFound
        stream, tag = store().open(sha256), f'"{sha256}"'
        return file_response(
            request._request, stream, tag=tag, content_type="application/octet-stream"
        )


class SecretView(AgentView):
    """The value of a secret, sealed for the node that asks."""

    def get(self, request: Request, revision: str, name: str, value: str) -> Response:
        """Return a value that a revision of this node's state names; any other is 404."""
        sealed = queries.sealed_for(self.node(request), revision, name, value)
        if not sealed:
            raise NotFound
        headers = {"Cache-Control": "no-store"}
        return Response(SealedReply(v=1, value=value, sealed=sealed), headers=headers)


class RuntimeManifestView(AgentView):
    """How a runtime is installed."""

    def get(self, request: Request, digest: str) -> Response:
        """Return the lock and the wheels of a runtime that this node's state needs."""
        node = self.node(request)
        runtime = Runtime.objects.filter(pk=f"sha256:{digest}").first()
        if runtime is None or runtime.pk not in queries.allowed_runtimes(node.target):
            raise NotFound
        return Response(write_manifest(runtime.python_version, runtime.lock, runtime.wheels))
