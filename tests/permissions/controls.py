"""What each page offers to each role: the buttons of its forms, and the links that look like one.

``controls.txt`` is written by ``PLACET_RENEW_CONTROLS=1 pytest tests/permissions/test_mutants.py``;
whoever renews it reads the difference, and says in the commit why somebody is offered more or less.
"""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from django.urls import Resolver404, resolve

from tests.permissions.table import COLUMNS, plain

TABLE = Path(__file__).with_name("controls.txt")
ROLES = COLUMNS[1:]
Offers = dict[str, set[str]]


class Controls(HTMLParser):
    """Gathers the controls of a page, each as where it leads and what it says.

    What every page has around its content is read with ``menu``; what closes or copies is none.
    """

    def __init__(self, path: str, *, menu: bool) -> None:
        super().__init__()
        self.path, self.found, self.menu = path, set[str](), menu
        self._in_main, self._form, self._named = False, "", dict[str, str]()
        self._leads, self._said = "", list[str]()
        self._counts = False  # it ends with how many wait there

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a form, or a control."""
        given = {name: value or "" for name, value in attrs}
        if tag == "main":
            self._in_main = True
        elif tag == "form":
            method = given.get("method", "get").upper()
            self._form = f"{method} {route(given.get('action') or self.path)}"
            self._named[given.get("id", "")] = self._form
        elif tag in ("a", "button") and (self._in_main or self.menu):
            self._leads, self._said = self.leads(tag, given), []
            self._counts = False
        elif "badge" in given.get("class", "").split():
            self._counts = bool(self._leads)

    def leads(self, tag: str, given: dict[str, str]) -> str:
        """Return where a control leads; nowhere if it is none."""
        if tag == "a":
            classes = {"btn", "nav-link", "dropdown-item"} & set(given.get("class", "").split())
            href = given.get("href", "#")
            is_one = bool(classes) or "download" in given
            if not is_one or href.startswith("#"):
                return ""
            return f"link {route(href if urlsplit(href).path else self.path)}"
        if "data-dialog" in given:
            return f"opens #{given['data-dialog']}"
        if given.get("type") == "button":
            return ""
        if "formaction" in given:
            return f"POST {route(given['formaction'])}"
        return self._named[given["form"]] if "form" in given else self._form

    def handle_data(self, data: str) -> None:
        """Take what a control says."""
        self._said += data.split()

    def handle_endtag(self, tag: str) -> None:
        """End a control, or a form."""
        if tag == "main":
            self._in_main = False
        elif tag == "form":
            self._form = ""
        elif tag in ("a", "button") and self._leads:
            counts = self._counts and self._said[-1].isdigit()
            words = self._said[:-1] if counts else self._said
            self.found.add(f"{' '.join(words)} | {self._leads}")
            self._leads = ""


def route(address: str) -> str:
    """Return the route of an address, so that no id stands in the table."""
    path = urlsplit(address).path
    try:
        return "/" + plain(resolve(path).route)
    except Resolver404:
        return path


def shown(path: str, text: str) -> set[str]:
    """Return the controls of a page that was answered; with the first page, those of the menu."""
    page = Controls(path, menu=path == "/")
    page.feed(text)
    return page.found


def recorded() -> dict[str, Offers]:
    """Return what the table says: for each page its controls, each with who is offered it."""
    pages: dict[str, Offers] = {}
    page = ""
    for line in TABLE.read_text().splitlines():
        if line.startswith(" "):
            control, _, who = line.strip().rpartition(": ")
            pages[page][control] = set(ROLES) if who == "everybody" else set(who.split())
        else:
            page = line
            pages[page] = {}
    return pages


def written(pages: dict[str, Offers]) -> str:
    """Return the table as text: a line for each control, with the roles that are offered it."""
    lines = []
    for page, controls in sorted(pages.items()):
        lines.append(page)
        for control, roles in sorted(controls.items()):
            who = "everybody" if roles == set(ROLES) else " ".join(r for r in ROLES if r in roles)
            lines.append(f"    {control}: {who}")
    return "\n".join(lines) + "\n"
