"""HAProxy's names of endpoints, backends and the links of servers: made of numbers."""


def endpoint_name(number: int) -> str:
    """Return HAProxy's name of an endpoint, and of a group of backends."""
    return f"e{number:03d}"


def backend_name(group: int, index: int) -> str:
    """Return the name of a backend of a group, by its index."""
    return f"{endpoint_name(group)}r{index}"


def link_name(backend: str, number: int) -> str:
    """Return the name of a server's link."""
    return f"{backend}-{number}"


def linked_server(link: str) -> str:
    """Return ``backend/server`` of the server that has this link."""
    return "/s".join(link.rsplit("-", 1))
