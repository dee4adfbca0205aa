"""What a file of a comment may run once its reader opens it, beyond what the scanner of models
looks for: that asks what a loader of models does with it."""

import codecs
import re
from functools import lru_cache

from apps.discussions import compound
from apps.discussions.contents import ending_of, type_of

TYPES = frozenset(("HTML", "SVG image", "XML", "Script"))
# What systems act on when somebody opens it. Certificates (.cer) and fonts (.fon) are not here:
# they are shown, and run nothing.
_ENDINGS = (
    # programs, installers and packages
    """.apk .app .appinstaller .appx .appxbundle .cmd .com .cpl .crx .deb .dmg .exe .msi .msix
    .msixbundle .msp .mst .msu .pif .pkg .rpm .run .scr .xbap .xpi"""
    # scripts, and what an interpreter runs
    """ .applescript .bas .bash .bat .cdxml .command .csh .fish .hta .jar .js .jse .ksh .mjs
    .php .pl .ps1 .ps1xml .ps2 .psc1 .psd1 .psm1 .py .pyc .pyo .pyw .pyz .pyzw .rb .sct .sh
    .terminal .vb .vba .vbe .vbs .workflow .ws .wsc .wsf .wsh .zsh"""
    # what leads to a program, a server or a setting: shortcuts, searches, remote desktops
    """ .application .appref-ms .desktop .diagcab .fileloc .inetloc .inf .jnlp .library-ms .lnk
    .mobileconfig .msc .rdp .reg .scf .search-ms .searchconnector-ms .settingcontent-ms .theme
    .themepack .url .webloc .website"""
    # what is drawn with its scripts, and help that runs some
    " .chm .gadget .hlp .htm .html .mht .mhtml .svg .svgz .xhtml .xml"
    # Office: macros, add-ins, databases, queries that fetch or start what they name
    """ .accda .accdb .accde .accdr .ade .adp .docm .dotm .dqy .iqy .mda .mdb .mde .odc .one .oqy
    .potm .ppa .ppam .ppsm .pptm .rqy .sldm .slk .wll .xla .xlam .xll .xlm .xlsb .xlsm .xltm
    .xlw"""
    # disks that are mounted: what lies in them is marked no longer as having come from elsewhere
    " .img .iso .vhd .vhdx"
)
ENDINGS = frozenset(_ENDINGS.split())
_TABLES = frozenset((".csv", ".dif", ".prn", ".psv", ".tab", ".tsv"))
# Documents that Office opens as whatever their bytes are: a page, a table, macros of old.
_DOCUMENTS = frozenset((".doc", ".dot", ".pot", ".pps", ".ppt", ".xls", ".xlt"))
_ZIPPED_MACROS = b"vbaproject.bin"  # what it is called in a newer document, whose names lie open
_SEPARATORS = ",;\t|"
_MARKS = (  # at the beginning of a text; the longer first
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
_WIDE = str.maketrans("\uff1d\uff0b\uff0d\uff20", "=+-@")  # which spreadsheets take for these
_OWN_SEPARATOR = re.compile(r"""[\s"']{0,20}sep=(.)""", re.IGNORECASE)
# A table by its first letters, in which a cell's expression stands behind E, whatever its ending:
# behind where the cell is, or without that, which the record before may have said.
_SYLK = re.compile(
    r"ID;(?s:.*?)[\r\n]C"
    r"(?:;(?:[XYRC]\d|K)[^\r\n]*?;E|(?:;[^\r\n;]*+)*?;E[^\r\n;(!|]*+[(!|])"
)


def may_run(name: str, content: bytes) -> str:
    """Return why opening a file may run something, '' where nothing says so."""
    kind, ending = type_of(content), ending_of(name)
    if kind in TYPES:
        return f"{kind}, which may run scripts"
    if ending in ENDINGS:
        return f"is called {ending}, which systems run or draw"
    if ending in _DOCUMENTS and not content.startswith(compound.BEGIN) and kind != "ZIP archive":
        return f"is called {ending} and is something else, which Office opens as what it is"
    if compound.has_macros(content) or (
        kind == "ZIP archive" and _ZIPPED_MACROS in content.lower()
    ):
        return "has macros"
    text = _text_of(content)
    if _SYLK.match(text) or (ending in _TABLES and _has_formula(text)):
        return "has cells that a spreadsheet takes for formulas"
    return ""


def _text_of(content: bytes) -> str:
    """Return a table as a spreadsheet reads it. One whose encoding nothing tells is read without
    its NULs, whichever of two bytes they are."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            text = content[len(mark) :].decode(encoding, "replace")
            break
    else:
        text = content.decode("utf-8", "replace")
    return text.replace("\0", "").translate(_WIDE)


def _has_formula(text: str) -> bool:
    own = _OWN_SEPARATOR.match(text)
    separators = "".join(sorted({*_SEPARATORS, *(own[1] if own else "")}))
    return bool(_formula(separators).search(text))


@lru_cache(maxsize=64)
def _formula(separators: str) -> re.Pattern[str]:
    """Return what finds a cell that is taken for a formula: none that is a number, or a dash that
    stands for nothing.

    Whatever a file holds is looked at once: no part of the pattern gives back what it took, and
    none goes on into the next cell, but behind the comma of a decimal.
    """
    ends = re.escape(separators) + r"\r\n"
    return re.compile(
        rf"""
        (?:^|[{ends}])
        (?:(?![{ends}])[\s"'\x00-\x1f\u200b-\u200f\u2060\ufeff\ufffd])*+  # blanks, quotes
        (?:
            [=@]
            | [+-]
            (?:
                (?!(?:inf(?:inity)?|nan)\b)[a-z]
                # a call or what belongs to another file, or, of a program, letters before a |
                | (?!(?:inf(?:inity)?|nan|[\d.,]++e[+-]?\d++)[ "']*+(?:[{ends}]|$))
                (?:[^{ends}(!a-z]|,(?=\d))*+
                (?:[(!]|[a-z](?:[^{ends}(!]|,(?=\d))*+[(!|])
            )
        )
        """,
        re.IGNORECASE | re.VERBOSE,
    )
