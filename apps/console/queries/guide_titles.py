"""Finds pages and sections of the guides by their titles, in the index that their builder made."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.urls import reverse

from apps.console.built_files import GUIDES


@dataclass(frozen=True, slots=True)
class Section:
    """A title in the guides; ``page`` is that of the page it stands on."""

    title: str
    page: str
    url: str


def sections(text: str) -> Iterator[Section]:
    """Yield what has ``text`` in its title, in small letters; pages before their sections."""
    index = GUIDES / "searchindex.js"
    try:
        changed = index.stat().st_mtime_ns
    except OSError:  # the guides are not built
        return
    yield from (each for each in _all(index, changed) if text in each.title.lower())


@lru_cache(maxsize=1)
def _all(index: Path, _changed: int) -> list[Section]:
    """Return every title in a Sphinx search index: ``Search.setIndex(`` a JSON document ``)``."""
    script = index.read_text(encoding="utf-8")
    made = json.loads(script[script.index("(") + 1 : script.rindex(")")])
    names, titles = made["docnames"], made["titles"]
    found = [
        (anchor is not None, Section(title, titles[at], _url(names[at], anchor)))
        for title, places in made["alltitles"].items()
        for at, anchor in places
    ]
    return [section for _, section in sorted(found, key=lambda each: (each[0], each[1].title))]


def _url(name: str, anchor: str | None) -> str:
    return reverse("guide", args=[f"{name}.html"]) + (f"#{anchor}" if anchor else "")
