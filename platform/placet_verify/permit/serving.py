"""What a serving configuration may say: its members, what may be reached, which variables are set.

Standard library only. Plan, permit and agent read by the same functions, so what people approve is
what a node accepts; the verifier in JavaScript has twins of them.

A configuration *without* ``egress`` was approved before replicas were kept from the network. It
goes on as it was approved, its variables included: nothing of it is judged again.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from placet_verify.errors import Refused
from placet_verify.numbers import is_whole

MEMBERS = frozenset(
    {"replicas", "max_replicas", "memory_mb", "variables", "unit", "capture", "egress"}
)
MAX_EGRESS, MAX_VARIABLES, MAX_VALUE = 32, 50, 4096
# Bytes of UTF-8 of all names and values: request and decisions each hold them, and a permit is no
# larger than 1 MiB.
MAX_VARIABLES_BYTES = 32 << 10
MAX_REPLICAS = 64
MIN_MEMORY_MB, MAX_MEMORY_MB = 64, 1 << 20

# Names of ours: how many threads a library takes. Every release may set them, declared or not.
SETTABLE = frozenset(
    {
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "TOKENIZERS_PARALLELISM",
    }
)

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,62}")

# What no release may set, declared or not: people approve a Bento by its digest, and each of these
# makes a process run, load, read or trust something else than what stands in it. Small letters
# (``http_proxy``) and a leading underscore (``_JAVA_OPTIONS``) are excluded by the form of a name.
# Permits that were approved are read by this list too: a name that is added stops what sets it.
_NEVER = frozenset(
    {
        # Where programs, and what a process takes for its own folders and person, are looked up.
        "PATH",
        "HOME",
        "TMPDIR",
        "TMP",
        "TEMP",
        "TEMPDIR",
        "USER",
        "USERNAME",
        "LOGNAME",
        "PWD",
        "OLDPWD",
        # Shells: files and commands that one runs at its start, and how it splits words.
        "SHELL",
        "SHELLOPTS",
        "ENV",
        "IFS",
        "PS0",
        "PS1",
        "PS2",
        "PS3",
        "PS4",
        "PROMPT_COMMAND",
        "CDPATH",
        "FPATH",
        "ZDOTDIR",
        "GLOBIGNORE",
        "EXECIGNORE",
        "HISTFILE",
        "INPUTRC",
        "FCEDIT",
        # Programs that libraries run by these names: compilers, viewers, editors.
        "CC",
        "CXX",
        "CPP",
        "LD",
        "AR",
        "AS",
        "NVCC",
        "MAKEFLAGS",
        "EDITOR",
        "VISUAL",
        "PAGER",
        "BROWSER",
        "LESSOPEN",
        "LESSCLOSE",
        # libc: locale and time zone files, message catalogues, the resolver.
        "LANG",
        "LANGUAGE",
        "LOCPATH",
        "NLSPATH",
        "I18NPATH",
        "TEXTDOMAIN",
        "TEXTDOMAINDIR",
        "OUTPUT_CHARSET",
        "TZDIR",
        "DATEMSK",
        "MSGVERB",
        "SEV_LEVEL",
        "POSIXLY_CORRECT",
        "GETCONF_DIR",
        "GMON_OUT_PREFIX",
        "PCPROFILE_OUTPUT",
        "SEGFAULT_SIGNALS",
        "RES_OPTIONS",
        "HOSTALIASES",
        "LOCALDOMAIN",
        "NIS_PATH",
        # Interpreters other than Python's (below, by prefix).
        "CLASSPATH",
        "JDK_JAVA_OPTIONS",
        "GODEBUG",
        "R_HOME",
        "R_LIBS",
        "R_LIBS_USER",
        "R_PROFILE",
        "R_PROFILE_USER",
        "R_ENVIRON",
        "R_ENVIRON_USER",
        "VIRTUAL_ENV",
        "MPLBACKEND",
        "MPLCONFIGDIR",
        # Whom a client believes, and what it takes as a secret or its settings.
        "SSLKEYLOGFILE",
        "REQUESTS_CA_BUNDLE",
        "AWS_CA_BUNDLE",
        "HTTPLIB2_CA_CERTS",
        "NETRC",
        "WGETRC",
        "SASL_PATH",
        "LDAPCONF",
        "LDAPRC",
        "ODBCINI",
        "ODBCSYSINI",
        "ODBCINSTINI",
        # The server: CGI (it turns urllib's care with HTTP_PROXY), workers, whom it believes.
        "REQUEST_METHOD",
        "GATEWAY_INTERFACE",
        "WEB_CONCURRENCY",
        "FORWARDED_ALLOW_IPS",
        # What a service manager hands on: sockets, its own door, credentials.
        "NOTIFY_SOCKET",
        "MAINPID",
        "JOURNAL_STREAM",
        "CREDENTIALS_DIRECTORY",
        # Profilers and tools that are libraries, loaded by name.
        "HEAPPROFILE",
        "CPUPROFILE",
        "HSA_TOOLS_LIB",
        "ROCP_TOOL_LIB",
    }
)
_NEVER_PREFIXES = (
    "PLACET_",
    "BENTOML_",  # what Placet and BentoML tell a replica
    "LD_",
    "DYLD_",
    "GLIBC_",
    "LIBC_",
    "MUSL_",
    "MALLOC_",
    "TCMALLOC_",
    "JEMALLOC_",
    "JE_MALLOC_",
    "MEMUSAGE_",
    "GCONV_",
    "LC_",
    "RESOLV_",  # loader, allocator, converters, locale, resolver
    "BASH",
    "KSH_",
    "ZSH_",  # shells; BASH_FUNC_… is a function that a shell runs
    "PYTHON",
    "PYTEST_",
    "PYDEVD_",
    "DEBUGPY_",
    "COVERAGE_",
    "SETUPTOOLS_",
    "DISTUTILS_",
    "IPYTHON",
    "PIP_",
    "UV_",
    "CONDA_",  # Python, what its .pth files read, and installers
    "PERL",
    "RUBY",
    "GEM_",
    "BUNDLE_",
    "NODE_",
    "NPM_",
    "JAVA_",
    "LUA_",
    "PHP",
    "TCL",
    "JULIA_",
    "GUILE_",
    "ERL_",
    "DOTNET_",
    "CORECLR_",
    "COMPLUS_",
    "MONO_",  # other interpreters
    "SSL_",
    "OPENSSL_",
    "GNUTLS_",
    "NSS_",
    "P11_",
    "PKCS11",
    "KRB5",
    "CURL_",
    "GRPC_",
    "SOCKS",
    "TSOCKS_",
    "PROXYCHAINS_",
    "GIT_",
    "SSH_",
    "SUDO_",  # trust, proxies, and who runs a command
    "CIRCUS",
    "UVICORN_",
    "UVLOOP_",
    "GUNICORN_",
    "PROMETHEUS_",
    "OTEL_PYTHON_",  # the server
    "LISTEN_",
    "WATCHDOG_",
    "XDG_",
    "DBUS_",
    "TERMINFO",
    "TERMCAP",  # session and service manager
    "OMP_TOOL",
    "INTEL_",
    "CUDA_INJECTION",
    "NVTX_INJECTION",
    "OMPI_",
    "OPAL_",
    "PMIX_",
    "I_MPI_",
    "UCX_",
    "GIO_",
    "GTK_",
    "QT_",
    "GST_",
    "FONTCONFIG_",  # libraries that load others by name
)
_NEVER_SUFFIXES = ("_PROXY", "_PRELOAD", "_LIBRARY_PATH", "_PLUGIN_PATH")

# What cannot be seen on a page, or not told from a space, and what is no character. By number:
# versions of Unicode, and so platform, node and verifier, do not agree on anything else.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e"
    "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\uf8ff\ufdd0-\ufdef\ufeff"
    "\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
    "\U000f0000-\U0010ffff"
    + "".join(chr(plane << 16 | last) for plane in range(1, 15) for last in (0xFFFE, 0xFFFF))
    + "]"
)

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DNS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
# A last label that readers of addresses take as a number: 0x7f000001 is 127.0.0.1.
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
# What can never be another host's address. Loopback would be the replica's own; the IPv6 forms
# that hold an IPv4 address have that one's own name.
_NOWHERE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "::ffff:0:0/96",
        "ff00::/8",
    )
)
_SHAPE = "write it as host:port, with a name or an address and a port from 1 to 65535"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ServingRefused(Refused):
    """A serving configuration is not one that may run. Its code is ``serving``."""

    def __init__(self, sentence: str) -> None:
        super().__init__("serving", sentence)


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """One host and port that a replica may reach. ``host`` has no brackets."""

    host: str
    port: int

    @classmethod
    def read(cls, text: object) -> "Destination":
        """Read ``name:port``, ``192.0.2.1:port`` or ``[2001:db8::1]:port``.

        Capital letters of a name become small. Raises ``ValueError`` with a sentence.
        """
        if not isinstance(text, str) or not text.isascii() or len(text) > 270:
            raise ValueError(_SHAPE)
        host, colon, port = text.rpartition(":")
        if not colon or _PORT.fullmatch(port) is None or int(port) > 65535:
            raise ValueError(_SHAPE)
        if host.startswith("[") and host.endswith("]"):
            return cls(_address(host[1:-1], 6), int(port))
        name = host.lower()
        if _NUMERIC.fullmatch(name.rpartition(".")[2]):
            return cls(_address(host, 4), int(port))
        return cls(_name(name), int(port))

    @property
    def address(self) -> Address | None:
        """The address when people approved one, ``None`` when they approved a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _name(name: str) -> str:
    if _DNS.fullmatch(name) is None or len(name) > 253:
        raise ValueError(f"{_SHAPE}; a name has letters, digits, - and .")
    if name == "localhost" or name.endswith(".localhost"):
        raise ValueError("localhost is the replica itself")
    return name


def _address(text: str, version: int) -> str:
    try:
        found: Address = (
            ipaddress.IPv6Address(text) if version == 6 else ipaddress.IPv4Address(text)
        )
    except ValueError:
        raise ValueError(f"{_SHAPE}; {text[:60]} is no IPv{version} address") from None
    if any(found in network for network in _NOWHERE if network.version == version):
        raise ValueError(f"{text[:60]} can never be the address of another host")
    if "%" in text or str(found) != text:
        raise ValueError(f"write the address in its shortest form: {str(found).partition('%')[0]}")
    return text


def egress_of(serving: Mapping[str, Any]) -> tuple[Destination, ...] | None:
    """Return what a replica may reach; ``None``: approved under the earlier rules.

    Raises ``ServingRefused`` with a sentence that names the entry at fault.
    """
    if "egress" not in serving:
        return None
    faults, found = egress_faults(serving["egress"])
    for place, detail in faults:
        raise ServingRefused(f"egress{'' if place is None else f' {place + 1}'}: {detail}")
    return found


def egress_faults(
    value: object,
) -> tuple[list[tuple[int | None, str]], tuple[Destination, ...]]:
    """Return what is wrong with a list of destinations, each with its place, and those read."""
    faults: list[tuple[int | None, str]] = []
    found: list[Destination] = []
    if not isinstance(value, list) or len(value) > MAX_EGRESS:
        return [(None, f'must be a list of at most {MAX_EGRESS} texts "host:port"')], ()
    for place, text in enumerate(value):
        try:
            one = Destination.read(text)
        except ValueError as error:
            faults.append((place, str(error)))
            continue
        if one in found:
            faults.append((place, f"{one} is named twice"))
        found.append(one)
    return faults, tuple(found)


def network(serving: Mapping[str, Any]) -> str:
    """Say in words what the network of a replica is. Raises ``ServingRefused``."""
    found = egress_of(serving)
    if found is None:
        return "older isolation: the host's network"
    return f"may reach: {', '.join(map(str, found))}" if found else "may reach nothing"


def variable_fault(name: object) -> str:
    """Return why no release may set this name, or '' when one may that has it declared."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        return "a name has capital letters, digits and _, begins with a letter, 63 at most"
    if name in _NEVER or name.startswith(_NEVER_PREFIXES) or name.endswith(_NEVER_SUFFIXES):
        return "may never be set: it decides what a process loads, runs or trusts"
    return ""


def value_fault(value: object) -> str:
    """Return why this cannot be the value of a variable, or ''."""
    if not isinstance(value, str) or len(value) > MAX_VALUE or _UNSEEN.search(value):
        return f"must be one line of at most {MAX_VALUE} characters, all of which can be seen"
    return ""


def variables_faults(value: object) -> list[tuple[str, str]]:
    """Return what is wrong with the variables of a release, each with its name, '' for all."""
    if not isinstance(value, Mapping) or len(value) > MAX_VARIABLES:
        return [("", f"must be at most {MAX_VARIABLES} names with their values")]
    found = ((str(name), variable_fault(name) or value_fault(text)) for name, text in value.items())
    faults = [(name[:64], fault) for name, fault in sorted(found) if fault]
    if not faults and sum(len(f"{n}{text}".encode()) for n, text in value.items()) > (
        MAX_VARIABLES_BYTES
    ):
        return [("", f"have names and values of more than {MAX_VARIABLES_BYTES} bytes together")]
    return faults


def number_faults(serving: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with replicas and memory, each with its member."""
    replicas = serving.get("replicas", 1)
    limits = [("replicas", replicas, 1, MAX_REPLICAS)]
    if is_whole(replicas, 1, MAX_REPLICAS):
        most = serving.get("max_replicas", replicas)
        limits += [("max_replicas", most, replicas, MAX_REPLICAS)]
    memory = serving.get("memory_mb", MIN_MEMORY_MB)
    limits += [("memory_mb", memory, MIN_MEMORY_MB, MAX_MEMORY_MB)]
    return [
        (name, f"must be a whole number from {low} to {high}")
        for name, value, low, high in limits
        if not is_whole(value, low, high)
    ]


def undeclared(variables: Iterable[str], declared: Iterable[str]) -> list[str]:
    """Return the names that a release sets though its version does not declare them, sorted."""
    return sorted(set(variables) - set(declared) - SETTABLE)


def declaration_faults(names: object) -> list[tuple[int | None, str]]:
    """Return what is wrong with the names that a version declares, each with its place."""
    if not isinstance(names, list) or len(names) > MAX_VARIABLES:
        return [(None, f"must be a list of at most {MAX_VARIABLES} names")]
    faults: list[tuple[int | None, str]] = []
    for place, name in enumerate(names):
        if fault := variable_fault(name):
            faults.append((place, fault))
        elif name in names[:place]:
            faults.append((place, f"{name} is named twice"))
    return faults


def check(serving: Mapping[str, Any]) -> None:
    """Raise ``ServingRefused`` unless this may run; unit and capture are for others to read."""
    if egress_of(serving) is None:
        return
    if unknown := sorted(set(serving) - MEMBERS):
        raise ServingRefused(f"{unknown[0][:60]!r} is no member of a serving configuration")
    for name, fault in number_faults(serving):
        raise ServingRefused(f"{name}: {fault}")
    for name, fault in variables_faults(serving.get("variables", {})):
        raise ServingRefused(f"the variable {name!r}: {fault}" if name else f"variables: {fault}")
