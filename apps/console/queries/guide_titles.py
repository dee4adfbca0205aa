"""Finds pages and sections of the guides by their titles, in the index that their builder made."""

import json
from collections.abc import Iterator, Sequence
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


def sections(words: Sequence[str]) -> Iterator[Section]:
    """Yield what has each of ``words``, in small letters, in its title or in that of its page, and
    one at least in its own; pages before their sections."""
    index = GUIDES / "searchindex.js"
    try:
        changed = index.stat().st_mtime_ns
    except OSError:  # the guides are not built
        return
    yield from (each for each in _all(index, changed) if _fits(each, words))


def _fits(section: Section, words: Sequence[str]) -> bool:
    title, page = section.title.lower(), section.page.lower()
    own = [word in title for word in words]
    return any(own) and all(is_in or word in page for word, is_in in zip(words, own, strict=True))


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
