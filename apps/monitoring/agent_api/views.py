"""Where nodes bring what their services captured."""

from rest_framework.request import Request
from rest_framework.response import Response

from apps.monitoring import actions
from apps.serving.agent_api.views import AgentView, number
from placet.kernel.problems import FieldError, InvalidInput
from placet_protocol.captures import FILE, CaptureReply


class CapturesView(AgentView):
    """Lines of files of captured predictions."""

    def post(self, request: Request) -> Response:
        """Take in the lines from ``offset`` on; 409 with the offset to go on from."""
        node = self.node(request)
        file = request.query_params.get("file", "")
        if not FILE.fullmatch(file):
            raise InvalidInput(errors=[FieldError("file", "Must be the name of a captured file")])
        offset = actions.receive_lines(
            node,
            revision=request.query_params.get("revision", ""),
            file=file,
            offset=number(request, "offset"),
            packed=request._request.body,
        )
        return Response(CaptureReply(v=1, offset=offset), status=201)
