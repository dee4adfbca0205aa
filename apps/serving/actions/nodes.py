"""A node joins a target."""

from apps.audit.actions import record
from apps.serving import desired
from apps.serving.actions.targets import token_hash
from apps.serving.errors import JoinRefused
from apps.serving.events import NODE_JOINED
from apps.serving.models import JoinToken, Node
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet_protocol.report import PlatformInfo


def join_node(token: str, *, public_key: str, platform: PlatformInfo) -> Node:
    """Let the holder of ``public_key`` be the node of the token's target, and use up the token.

    The caller has checked that the request is signed by that key. The same token with the same
    key answers again (a reply may be lost); with another key it is refused. A node that joins
    where one was takes its place: its host was set up anew.
    """
    with record(SYSTEM) as log:
        join_token = (
            JoinToken.objects.select_for_update(of=("self", "target"), no_key=True)
            .select_related("target")
            .filter(secret_hash=token_hash(token))
            .first()
        )
        if join_token is None or join_token.used_by not in ("", public_key):
            raise JoinRefused
        if join_token.used_by:
            node = Node.objects.filter(target=join_token.target, public_key=public_key).first()
            if node is None:
                raise JoinRefused
            return node
        if join_token.expires_at < now():
            raise JoinRefused
        target = join_token.target
        node = Node.objects.filter(target=target).first() or Node(target=target)
        node.public_key, node.platform = public_key, dict(platform)
        node.agent_version, node.report, node.report_number = platform["agent_version"], {}, 0
        node.last_seen_at = node.last_report_at = now()
        node.fault, node.noted, node.errors_since = "", {}, {}
        node.save()
        join_token.used_at, join_token.used_by = now(), public_key
        join_token.save()
        log.add(NODE_JOINED, node, actor=node_actor(node), data={"target": join_token.target_id})
        desired.publish(join_token.target_id)
    return node


def node_actor(node: Node) -> Actor:
    """Return ``node`` as the actor of what it does by itself."""
    return Actor(kind="node", id=node.pk, label=node.target.name)
