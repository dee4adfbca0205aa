"""How the guides become a site: `bin/site` builds it, Placet serves it under `/docs/`.

The navigation is the index: what a guide is found under stands in ``docs/index.md`` alone.
"""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

DOCS = Path(__file__).resolve().parents[1]
log = logging.getLogger(__name__)

project = "Placet"
root_doc = "index"
exclude_patterns = ["site", "screenshots"]
extensions = ["myst_parser"]
# Plain CommonMark with tables: a guide reads the same here and where the repository is hosted.
myst_disable_syntax = ["myst_role", "myst_target", "myst_line_comment", "myst_block_break"]
myst_heading_anchors = 4
# There is no toctree: see above.
suppress_warnings = ["toc.not_included"]
nitpicky = True
highlight_language = "none"
html_theme = "placet"
html_theme_path = [str(Path(__file__).parent / "theme")]
html_copy_source = False
html_show_sourcelink = False
html_permalinks_icon = "#"
html_use_index = False
smartquotes = False

GROUP = re.compile(r"^\*\*(.+)\*\*$")
LINK = re.compile(r"\[([^\]]+)\]\(([\w/.-]+)\.md\)")
OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)(?:#[^)\s]*)?\)")


def navigation() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the groups of the index's section "By task": a name, and pages by title and name."""
    section = (DOCS / "index.md").read_text().split("## By task")[1].split("\n## ")[0]
    groups: list[tuple[str, list[tuple[str, str]]]] = []
    for line in section.splitlines():
        if group := GROUP.match(line):
            groups.append((group[1], []))
        elif groups:
            groups[-1][1].extend(LINK.findall(line))
    return groups


def leave_the_repository(app: Sphinx, name: str, source: list[str]) -> None:
    """Show a link to a file of the repository that is no guide as its text: the site has it not."""

    def plain(link: re.Match[str]) -> str:
        there = (DOCS / name).parent.joinpath(link[2]).resolve()
        if there.is_relative_to(DOCS):
            return link[0]
        if not there.exists():
            log.warning("there is no %s", link[2], location=name)
        return link[1]

    source[0] = OUTSIDE.sub(plain, source[0])


def finish(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """Give the layout the navigation, and let a keyboard reach what is too wide for a screen."""
    context["groups"] = navigation()
    if body := context.get("body"):
        body = body.replace("<pre>", '<pre tabindex="0">')
        body = body.replace("<table ", '<div class="wide" tabindex="0"><table ')
        context["body"] = body.replace("</table>", "</table></div>")


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", leave_the_repository)
    app.connect("html-page-context", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
