"""The names under which this installation signs its log and cosigns those of others."""

from placet.kernel.keystore import root_public


def origin() -> str:
    """Return the name of this log: unique to the installation, because its root key is in it."""
    return f"placet.dev/log/{root_public().id}"


def witness_name() -> str:
    """Return the name under which this installation cosigns."""
    return f"placet.dev/witness/{root_public().id}"
