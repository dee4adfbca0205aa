"""What the scanner says of bytes that no file holds."""

import io
from pathlib import Path, PurePosixPath

from workers.builder.scanning.files import Report, Scanner


def scan_bytes(name: str, data: bytes, root: Path) -> Report:
    """Scan bytes in memory under ``name``."""
    scanner = Scanner(root)
    scanner.scan(name, PurePosixPath(name).name, io.BytesIO(data), 0)
    return scanner.report


def scan_folder(root: Path) -> Report:
    """Scan all files of a folder."""
    scanner = Scanner(root)
    scanner.scan_files()
    return scanner.report
