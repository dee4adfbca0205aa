"""What YAML says, event by event: nothing is made of it."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import yaml

TAG = re.compile(rb"(?<![A-Za-z0-9])!")  # what stands elsewhere begins no node
# In which a letter may have a second byte that is ASCII, and one in which a byte ends a line.
LOCALES = ("latin-1", "cp932", "gb18030", "big5", "cp949", "johab")
OPTION = re.compile(r"-[rc]|\\")  # of requirements, or what one may be spelled with or go on by
Events = Iterator[tuple[str, str]]


def read(raw: bytes, reader: Any) -> Events:
    """Yield the tag and the value of each event, '' where it has none."""
    for event in yaml.parse(raw, reader):
        yield str(getattr(event, "tag", None) or ""), str(getattr(event, "value", ""))


def has_tag(raw: bytes) -> bool:
    """Tell whether something in it may be a tag."""
    return TAG.search(raw) is not None


def is_of_python(tag: str) -> bool:
    """Tell whether a tag makes objects of Python."""
    return tag.startswith("tag:yaml.org,2002:python")


def may_be_garbled(raw: bytes) -> bool:
    """Tell whether another locale may read a tag or an option in it: each is ASCII there too."""
    told = has_tag(raw) or OPTION.search(raw.decode("latin-1")) is not None
    return told and not raw.isascii()


def garbled(raw: bytes) -> Events:
    """Yield what machines of other locales make of it that says anything to us, where it is read
    in theirs: lines end where none does here, and a letter takes the quote or backslash that
    stands behind it."""
    goes_on = False
    for locale in LOCALES:
        with contextlib.suppress(yaml.YAMLError):
            for tag, value in read(raw.decode(locale, "replace").encode(), yaml.CSafeLoader):
                if goes_on or is_of_python(tag) or OPTION.search(value):
                    yield tag, value
                goes_on = value.endswith("\\")
