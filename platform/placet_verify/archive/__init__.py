"""Archives from strangers: unpacked strictly or not at all, and packed the same way every time.

One extractor for the server and the node agent. It knows tar (plain, gzip, bzip2, xz, and zstd
where Python has it) and zip, and takes regular files and folders only.
"""

from placet_verify.archive.extract import ArchiveLimits, extract
from placet_verify.archive.names import ArchiveNames, ArchiveRefused, check_name
from placet_verify.archive.output import ExtractedFile
from placet_verify.archive.pack import pack

__all__ = [
    "ArchiveLimits",
    "ArchiveNames",
    "ArchiveRefused",
    "ExtractedFile",
    "check_name",
    "extract",
    "pack",
]
