"""What a machine of another locale reads is held against a file; what it does not, is not."""

from pathlib import Path

import pytest
import yaml

from tests.support.scanning import scan_bytes, scan_folder

NOWHERE = Path("/nonexistent")
CALL = "!!python/object/apply:os.getpid []"
# The last byte of the letter and the backslash behind it are one letter to these.
HIDDEN = f'["\u3003\\", {CALL} , #", x\n]\n'.encode()
REQUIRES = b'["\xe3\x80\x83\\", "-r /etc/passwd", " #", x\n]\n'


@pytest.mark.parametrize("locale", ["cp932", "gbk", "gb18030"])
def test_a_tag_that_another_locale_sees_is_seen(locale: str) -> None:
    seen = yaml.compose(HIDDEN.decode(locale))
    assert seen.value[1].tag.startswith("tag:yaml.org,2002:python")
    assert scan_bytes("hparams.yaml", HIDDEN, NOWHERE).verdict() == "malicious"


def test_a_path_that_another_locale_reads_is_seen() -> None:
    assert scan_bytes("conda.yaml", REQUIRES, NOWHERE).verdict() == "unknown"


@pytest.mark.parametrize(
    "line",
    [
        "# Пакеты для старых -rc сборок",
        "# Modeller från Å -cpu only",
        "-r données.txt",
        "# 模型 -r 文件",
    ],
)
def test_honest_lines_in_any_language_are_safe(tmp_path: Path, line: str) -> None:
    (tmp_path / "données.txt").write_text("numpy\n")
    (tmp_path / "requirements.txt").write_text(f"{line}\nnumpy\n")
    assert scan_folder(tmp_path).verdict() == "safe"
    (tmp_path / "requirements.txt").unlink()
    (tmp_path / "conda.yaml").write_text(f"{line if line[0] == '#' else '# ' + line}\na: [numpy]\n")
    assert scan_folder(tmp_path).verdict() == "safe"


def test_what_a_byte_ends_a_line_for_in_another_locale_may_lead_out(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes("# \u0445\n# х-r ../more.txt".encode())
    assert scan_folder(tmp_path).verdict() == "unknown"
