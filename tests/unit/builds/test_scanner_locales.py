"""What a machine of another locale reads is held against a file; what it does not, is not."""

from pathlib import Path

import pytest
import yaml

from tests.support.scanning import scan_bytes, scan_folder
from workers.builder.scanning import readers, yaml_events

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
        "# Пакеты для старых -rc сборок: нужны тестам",
        "# 仅用于包 -c++ 编译: 可选",
        "# Å -cpu: only",
        "# Для пакетов -r... нужны, -c *любых*, -r 'других'?",
        "# Пакеты -r" + "я" * 300,
    ],
)
def test_honest_lines_in_any_language_are_safe(tmp_path: Path, line: str) -> None:
    (tmp_path / "données.txt").write_text("numpy\n")
    (tmp_path / "requirements.txt").write_text(f"{line}\nnumpy\n")
    assert scan_folder(tmp_path).verdict() == "safe"
    (tmp_path / "requirements.txt").unlink()
    (tmp_path / "conda.yaml").write_text(f"{line if line[0] == '#' else '# ' + line}\na: [numpy]\n")
    assert scan_folder(tmp_path).verdict() == "safe"


@pytest.mark.parametrize("value", ["'用于包 -r 模式: 见文档'", "'# Å -cpu: only'"])
def test_honest_values_of_yaml_in_any_language_are_safe(value: str) -> None:
    assert scan_bytes("params.yaml", f"a: {value}\n".encode(), NOWHERE).verdict() == "safe"


@pytest.mark.parametrize(
    "path",
    [
        "../more.txt",
        "a/../../more.txt",
        "..\\more.txt",
        "/etc/passwd",
        "\\\\host\\a.txt",
        "~/a.txt",
        "${HOME}/a.txt",
        "https://host/a.txt",
        "file:/etc/passwd",
        "C:\\a.txt",
    ],
)
def test_what_a_byte_ends_a_line_for_in_another_locale_may_lead_out(
    path: str, tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").write_bytes(f"# \u0445\n# х-r {path}".encode())
    assert scan_folder(tmp_path).verdict() == "unknown"


def test_what_only_another_locale_reads_is_followed_where_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# х-r notes.md\n")
    assert scan_folder(tmp_path).verdict() == "safe"
    (tmp_path / "notes.md").write_text("-r /etc/passwd\n")
    assert scan_folder(tmp_path).verdict() == "unknown"


def heavy(letter: str, size: int) -> bytes:
    """Return YAML that says nothing in many events."""
    return f'["{letter}", '.encode() + b"a: ," * (size // 4) + b"a]\n"


def test_yaml_without_an_option_or_a_tag_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_events, "LOCALES", ("none",))
    assert scan_bytes("a.yaml", heavy("\u3042", 99), NOWHERE).verdict() == "safe"
    for letter in ("\u3042 -r", "\u3042\\\\", "\u3042 !"):
        with pytest.raises(LookupError):
            scan_bytes("a.yaml", heavy(letter, 99), NOWHERE)


def test_of_what_other_locales_read_only_what_says_something_is_kept() -> None:
    kept = [*yaml_events.garbled(heavy("\u3042 -r x", 9999))]
    assert len(kept) == len(yaml_events.LOCALES) - 1, "one of them cannot read it"
    raw = "['\u3042', '-\\', 'r /etc/passwd', b]\n".encode()
    kept = [value for _, value in yaml_events.garbled(raw)]
    assert kept[:2] == ["-\\", "r /etc/passwd"]
    assert "b" not in kept


def test_yaml_that_is_read_in_all_locales_has_a_bound_of_all_files_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_bytes(heavy("\u3042 -r x", 4000))
    assert scan_folder(tmp_path).verdict() == "safe"
    monkeypatch.setattr(readers, "MAX_GARBLED", 6000)
    assert scan_folder(tmp_path).verdict() == "unknown"
    (tmp_path / "b.yaml").write_bytes(heavy("\u3042", 4000))
    assert scan_folder(tmp_path).verdict() == "safe"
