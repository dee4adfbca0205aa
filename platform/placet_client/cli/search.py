"""search."""

from typing import Annotated

import typer

from placet_client.cli.command import Output, connected
from placet_client.output import Form, show_list

Text = Annotated[
    str, typer.Argument(help="a name, model:3, an alias, a release's number, an id or a digest")
]


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(search)


def search(text: Text, output: Output = Form.TABLE) -> None:
    """Find models, versions, releases, endpoints, projects, targets and people."""
    with connected() as client:
        show_list(client.everything.search(text), ["kind", "title", "detail", "id"], output)
