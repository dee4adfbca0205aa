"""A host with the node agent: it pulls its signed state and posts signed reports."""

from apps.serving.drivers.node.driver import NodeDriver

__all__ = ["NodeDriver"]
