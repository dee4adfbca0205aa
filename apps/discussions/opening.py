"""What a file of a comment may run once its reader opens it, beyond what the scanner of models
looks for: that asks what a loader of models does with it."""

import re

from apps.discussions.contents import ending_of, type_of

TYPES = frozenset(("HTML", "SVG image", "XML", "Script"))
_ENDINGS = """
    .app .applescript .bas .bash .bat .chm .cmd .com .command .cpl .csh .desktop .docm .dotm .exe
    .hta .htm .html .inf .jar .js .jse .ksh .lnk .mht .mhtml .mjs .msi .php .pif .pl .potm .ppam
    .ppsm .pptm .ps1 .psm1 .py .pyw .rb .reg .scf .scr .sh .svg .svgz .url .vb .vba .vbe .vbs .wsf
    .wsh .xhtml .xlam .xll .xlsm .xltm .xml .zsh
"""
ENDINGS = frozenset(_ENDINGS.split())
_TABLES = frozenset((".csv", ".tsv"))
# A cell that a spreadsheet takes for a formula: no number, no dash that stands for nothing.
_FORMULA = re.compile(
    rb"""(?:^|[,;\t\r\n])[ "']{0,3}(?:=|@|[+-](?:(?!inf|nan)[a-z(]|[^,;\t\r\n]{0,200}[|!(]))""",
    re.IGNORECASE,
)


def may_run(name: str, content: bytes) -> str:
    """Return why opening a file may run something, '' where nothing says so."""
    kind, ending = type_of(content), ending_of(name)
    if kind in TYPES:
        return f"{kind}, which may run scripts"
    if ending in ENDINGS:
        return f"is called {ending}, which systems run or draw"
    if ending in _TABLES and _FORMULA.search(content):
        return "has cells that a spreadsheet takes for formulas"
    return ""
