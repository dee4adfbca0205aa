"""What a serving configuration may say: destinations, variables, members."""

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet_verify.errors import Refused
from placet_verify.permit import serving, variables
from placet_verify.permit.limits import BOUNDS
from placet_verify.permit.scaling import Scaling, scaling_of
from placet_verify.permit.serving import Destination

SCALED = {"egress": [], "replicas": 2, "max_replicas": 8, "target_inflight": 4}


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("db.example.com:5432", "db.example.com", 5432),
        ("DB.Example.com:1", "db.example.com", 1),
        ("features:65535", "features", 65535),
        ("xn--bcher-kva.example:443", "xn--bcher-kva.example", 443),
        ("10.0.0.7:443", "10.0.0.7", 443),
        ("169.254.169.254:80", "169.254.169.254", 80),
        ("[2001:db8::1]:443", "2001:db8::1", 443),
        ("[fe80::1]:80", "fe80::1", 80),
        ("1.2.3.com:80", "1.2.3.com", 80),
    ],
)
def test_a_destination_is_a_name_or_an_address_and_a_port(text: str, host: str, port: int) -> None:
    destination = Destination.read(text)
    assert (destination.host, destination.port) == (host, port)
    assert str(destination) == text.lower()
    assert Destination.read(str(destination)) == destination
    is_address = ":" in host or host.replace(".", "").isdigit()
    assert (destination.address is not None) == is_address


REFUSED_DESTINATIONS = [
    "",
    "db.example.com",
    "db.example.com:",
    ":443",
    "db.example.com:0",
    "db.example.com:080",
    "db.example.com:65536",
    "db.example.com:+80",
    "db.example.com:8 0",
    "db.example.com:80\n",
    "\ndb.example.com:80",
    " db.example.com:80",
    "db.example.com :80",
    "db.example.com.:80",
    ".example.com:80",
    "db..example.com:80",
    "-db.example.com:80",
    "db-.example.com:80",
    "d_b.example.com:80",
    "*.example.com:80",
    "bücher.example:80",
    "db.example.com:٨٠",
    f"{'a' * 64}.example:80",
    ".".join(["a" * 60] * 5) + ":80",
    "localhost:80",
    "LOCALHOST:80",
    "db.localhost:80",
    "http://db.example.com:80",
    "user@db.example.com:80",
    "db.example.com/x:80",
    "127.0.0.1:80",
    "127.9.9.9:80",
    "0.0.0.0:80",
    "0.1.2.3:80",
    "224.0.0.1:80",
    "255.255.255.255:80",
    "240.0.0.1:80",
    "10.0.0.07:80",
    "10.0.0:80",
    "10.0.0.256:80",
    "2130706433:80",
    "0x7f000001:80",
    "0x7f.1:80",
    "db.0x7f:80",
    "0177.0.0.1:80",
    "[10.0.0.1]:80",
    "2001:db8::1:80",
    "[2001:db8:0:0:0:0:0:1]:80",
    "[2001:DB8::1]:80",
    "[2001:0db8::1]:80",
    "[::1]:80",
    "[::]:80",
    "[::127.0.0.1]:80",
    "[::ffff:127.0.0.1]:80",
    "[::ffff:7f00:1]:80",
    "[ff02::1]:80",
    "[fe80::1%eth0]:80",
    "[fe80::1%25eth0]:80",
    "[2001:db8::1]",
    "[]:80",
    "[2001:db8::1]x:80",
    None,
    80,
    ["db.example.com:80"],
    True,
]


@pytest.mark.parametrize("text", REFUSED_DESTINATIONS)
def test_anything_else_is_no_destination(text: object) -> None:
    with pytest.raises(ValueError, match=r"write|can never|localhost is"):
        Destination.read(text)


@given(st.text(max_size=40) | st.from_regex(r"[a-zA-Z0-9.\-\[\]:%x]{1,30}:[0-9]{1,6}"))
def test_what_is_read_is_read_again_from_what_it_says(text: str) -> None:
    try:
        destination = Destination.read(text)
    except ValueError:
        return
    assert Destination.read(str(destination)) == destination
    assert text.isascii()
    assert str(destination) == text.lower()


def test_a_configuration_without_egress_was_approved_under_earlier_rules() -> None:
    older = {"replicas": 1, "variables": {"PATH": "/bin"}, "what": 1}
    assert serving.egress_of(older) is None
    serving.check(older)
    assert serving.egress_of({"egress": []}) == ()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"egress": "db:1"}, "must be a list"),
        ({"egress": None}, "must be a list"),
        ({"egress": ["db:1", "db"]}, "egress 2: write it as host:port"),
        ({"egress": ["db:1", "DB:1"]}, "egress 2: db:1 is named twice"),
        ({"egress": [f"h{n}:1" for n in range(33)]}, "at most 32"),
        ({"egress": [], "sockets": 1}, "'sockets' is no member"),
        ({"egress": [], "server": "bentoml"}, "server: must be 'slim', or left out for BentoML"),
        ({"egress": [], "server": None}, "server: must be 'slim'"),
        ({"egress": [], "secrets": {}}, "secrets: must be 1 to 32 files"),
        ({"secrets": {"DB": "db"}}, "secrets: need egress beside them"),
        ({"egress": [], "secrets": {"../DB": "db"}}, "the name of a file has letters"),
        ({"egress": [], "secrets": {"DB": "a/b/c"}}, "secrets/DB: must be the name of a secret"),
        ({"egress": [], "secrets": {"DB": 1}}, "secrets/DB: must be the name of a secret"),
        ({"egress": [], "limits": None}, "limits: must be an object with some of"),
        ({"egress": [], "limits": {}}, "limits: must be an object with some of"),
        ({"egress": [], "limits": {"Rate": 1}}, "limits/Rate: is none of request_seconds,"),
        ({"egress": [], "limits": {"rate": 0}}, "limits/rate: .* whole number from 1 to 10000"),
        ({"egress": [], "limits": {"rate": True}}, "limits/rate: must be a whole number"),
        ({"egress": [], "limits": {"rate": 1.5}}, "limits/rate: must be a whole number"),
        ({"egress": [], "limits": {"queue": 1}}, "limits/queue: needs in_flight"),
        ({"egress": [], "limits": {"queue_seconds": 1, "rate": 1}}, "needs in_flight"),
        ({"egress": [], "target_inflight": 0}, "target_inflight: .* whole number from 1 to 1000"),
        ({"egress": [], "target_inflight": 1001}, "target_inflight: must be a whole number"),
        ({"egress": [], "target_inflight": True}, "target_inflight: must be a whole number"),
        ({"egress": [], "target_inflight": 1.5}, "target_inflight: must be a whole number"),
        ({"egress": [], "target_inflight": None}, "target_inflight: must be a whole number"),
        ({"egress": [], "min_replicas": 1}, "min_replicas: needs target_inflight"),
        ({**SCALED, "min_replicas": -1}, "min_replicas: must be a whole number from 0 to 2"),
        ({**SCALED, "min_replicas": 3}, "min_replicas: must be a whole number from 0 to 2"),
        ({**SCALED, "min_replicas": None}, "min_replicas: must be a whole number"),
        ({"egress": [], "target_inflight": 4, "min_replicas": 2}, "min_replicas: .* from 0 to 1"),
        ({"egress": [], "variables": {"PATH": "/bin"}}, "'PATH': may never be set"),
        ({"egress": [], "variables": {"MODE\n": "x"}}, r"'MODE\\n': a name has"),
        ({"egress": [], "variables": {"MODE": "a\nb"}}, "must be one line"),
        ({"egress": [], "variables": {"MODE": 1}}, "must be one line"),
        ({"egress": [], "variables": {"MODE": "x" * 4097}}, "must be one line"),
        ({"egress": [], "variables": {"MODE": "shown \u202eotherwise"}}, "must be one line"),
        ({"egress": [], "variables": {"MODE": "a\u00a0b"}}, "all of which can be seen"),
        ({"egress": [], "variables": {"MODE": "\U000e0041"}}, "all of which can be seen"),
        ({"egress": [], "variables": {"MODE": "\ud800"}}, "all of which can be seen"),
        ({"egress": [], "variables": {"MODE": "\U0002ffff"}}, "all of which can be seen"),
        ({"egress": [], "variables": {f"M{n}": "é" * 4096 for n in range(4)}}, "32768 bytes"),
        ({"egress": [], "replicas": 0}, "replicas: must be a whole number from 1 to 64"),
        ({"egress": [], "replicas": True}, "replicas: must be a whole number"),
        ({"egress": [], "replicas": 3, "max_replicas": 2}, "max_replicas: .* from 3 to 64"),
        ({"egress": [], "memory_mb": 63}, "memory_mb: must be a whole number from 64"),
        ({"egress": [], "memory_mb": (1 << 20) + 1}, "memory_mb: .* to 1048576"),
        ({"egress": [], "variables": [["MODE", "x"]]}, "variables: must be"),
        ({"egress": [], "variables": {f"M{n}": "" for n in range(51)}}, "variables: must be"),
    ],
)
def test_what_no_node_would_run_is_refused_with_a_sentence(
    document: dict[str, object], said: str
) -> None:
    with pytest.raises(Refused, match=said) as refused:
        serving.check(document)
    assert refused.value.code == "serving"


def test_a_configuration_says_between_how_many_replicas_it_is_scaled() -> None:
    assert scaling_of(SCALED) == Scaling(2, 8, 4)
    assert scaling_of({"egress": [], "target_inflight": 1}) == Scaling(1, 1, 1)
    lower = SCALED | {"min_replicas": 1}
    serving.check(lower)
    assert str(scaling_of(lower)) == "1 to 8 replicas, for 4 requests in flight each"
    assert str(Scaling(1, 2, 1)) == "1 to 2 replicas, for 1 request in flight each"
    assert scaling_of({"egress": [], "replicas": 2, "max_replicas": 8}) is None
    assert scaling_of({"target_inflight": 4}) is None, "approved under earlier rules"


def test_every_member_that_is_known_passes() -> None:
    members = {**dict.fromkeys(serving.MEMBERS, 1), "memory_mb": 64, "server": "slim"}
    members["secrets"] = {"DB_PASSWORD": "clinic/db", "api.token": "token"}
    members["limits"] = {name: high for name, (_, high) in BOUNDS.items()}
    serving.check(members | {"egress": ["db.example.com:5432"], "variables": {"MODE": "é 😀"}})


def test_what_can_be_seen_does_not_hang_on_the_version_of_unicode() -> None:
    """Python 3.11 and 3.13, and a browser, know other characters: what is refused is a list."""
    seen = ["é", "😀", " ", "\u0378", "\U0001fae9"]  # the last two are assigned to nothing in 3.11
    assert [variables.value_fault(text) for text in seen] == [""] * len(seen)
    hidden = [chr(c) for c in range(sys.maxunicode + 1) if variables.value_fault(chr(c))]
    assert not any(text.isprintable() for text in hidden)
    assert {"\x00", "\u200b", "\u2028", "\ue000", "\uffff", "\U000e0001"} <= set(hidden)


_FORBIDDEN = """
PATH HOME TMPDIR TMP TEMP USER LOGNAME SHELL IFS ENV BASH_ENV BASHOPTS SHELLOPTS PS4 CDPATH
GLOBIGNORE LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT PYTHONPATH PYTHONSTARTUP PYTHONHOME PLACET_INFO
BENTOML_CONFIG GLIBC_TUNABLES MALLOC_CHECK_ MALLOC_CONF GCONV_PATH LOCPATH NLSPATH LANGUAGE LC_ALL
LANG I18NPATH TEXTDOMAINDIR RESOLV_HOST_CONF RES_OPTIONS HOSTALIASES LOCALDOMAIN NODE_OPTIONS
PERL5LIB PERL5OPT RUBYOPT JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS SSL_CERT_FILE SSL_CERT_DIR OPENSSL_CONF
OPENSSL_MODULES GIT_SSH_COMMAND GIT_EXEC_PATH HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY FTP_PROXY
REQUEST_METHOD PROMETHEUS_MULTIPROC_DIR CIRCUSD UVICORN_WORKERS GUNICORN_CMD_ARGS WEB_CONCURRENCY
XDG_CONFIG_HOME TZDIR TERMINFO TERMINFO_DIRS GETCONF_DIR LIBC_FATAL_STDERR_ BASH_FUNC_X
PROMPT_COMMAND LISTEN_FDS NOTIFY_SOCKET OMP_TOOL_LIBRARIES CUDA_INJECTION64_PATH
INTEL_LIBITTNOTIFY64 DYLD_INSERT_LIBRARIES SSLKEYLOGFILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
FORWARDED_ALLOW_IPS COVERAGE_PROCESS_START CC CXX TPU_LIBRARY_PATH HDF5_PLUGIN_PATH
"""
FORBIDDEN = _FORBIDDEN.split()


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_steers_a_process_is_never_set(name: str) -> None:
    assert "may never be set" in variables.variable_fault(name)
    assert variables.declaration_faults([name])


@pytest.mark.parametrize(
    "name",
    [
        "",
        "mode",
        "MODE\n",
        "\nMODE",
        "MODE ",
        "MO DE",
        "1MODE",
        "_MODE",
        "MODE=",
        "MÖDE",
        "MODE\0",
        "M" * 64,
        "_JAVA_OPTIONS",
        "http_proxy",
        None,
        1,
    ],
)
def test_a_name_has_one_form(name: object) -> None:
    assert "a name has" in variables.variable_fault(name)


@given(st.text(alphabet=st.characters(max_codepoint=0x250), max_size=70))
def test_a_name_that_passes_is_a_word_of_capitals(name: str) -> None:
    if not variables.variable_fault(name):
        assert name.isascii()
        assert name.isupper()
        assert name.replace("_", "a").isalnum()
        assert len(name) <= 63


@given(st.sampled_from(FORBIDDEN), st.from_regex(r"[A-Z0-9_]{1,10}", fullmatch=True))
def test_a_whole_family_is_refused_with_each_of_its_members(name: str, more: str) -> None:
    family = ("LD_", "PYTHON", "PLACET_", "BENTOML_", "MALLOC_", "LC_", "GIT_", "XDG_", "BASH")
    for prefix in family:
        if name.startswith(prefix) and len(prefix + more) <= 63:
            assert "may never be set" in variables.variable_fault(prefix + more)


def test_the_specification_lists_every_name_that_is_never_set() -> None:
    """Somebody else may write a third verifier from it."""
    text = (Path(__file__).resolve().parents[3] / "docs/statements.md").read_text()
    rules = text.split("## The serving configuration")[1].split("\n## ")[0]
    listed = set(re.findall(r"`([A-Z0-9_]+)`", rules)) - {"_"}
    assert listed == {*variables._NEVER, *variables._NEVER_PREFIXES, *variables._NEVER_SUFFIXES}


def test_a_release_sets_what_its_version_declares_and_a_short_list_of_ours() -> None:
    assert all(not variables.variable_fault(name) for name in variables.SETTABLE)
    assert variables.undeclared(["MODE", "OMP_NUM_THREADS", "LEVEL"], ["MODE"]) == ["LEVEL"]
    assert variables.undeclared([], []) == []
    assert variables.declaration_faults(["MODE", "LEVEL"]) == []
    assert variables.declaration_faults(["MODE", "MODE"]) == [(1, "MODE is named twice")]
    assert variables.declaration_faults("MODE")[0][0] is None
    assert variables.declaration_faults([f"M{n}" for n in range(51)])[0][0] is None
