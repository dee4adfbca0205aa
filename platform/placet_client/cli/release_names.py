"""The names of releases."""

from typing import Annotated

import typer

from placet_client import refs
from placet_client.client import Client
from placet_client.errors import NotFound

ReleaseArgument = Annotated[
    str, typer.Argument(metavar="RELEASE", help="its id, or PROJECT/NUMBER")
]


def id_of(client: Client, named: str) -> str:
    """Return the id of a release that is named by it, or as ``PROJECT/NUMBER``."""
    if "/" not in named:
        return named
    project, number = refs.release(named)
    for row in client.releases.list(project):  # newest first
        if row.number <= number:
            if row.number == number:
                return row.id
            break
    raise NotFound(404, "not_found", f"{project} has no release {number}, or you may not see it")
