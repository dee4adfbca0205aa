"""Which variables a release may set: their names, their values, and which a version declares.

Standard library only: plan, permit and agent read by the same functions, and the verifier in
JavaScript has twins of them.
"""

import re
from collections.abc import Iterable, Mapping

MAX_VARIABLES, MAX_VALUE = 50, 4096
# Bytes of UTF-8 of all names and values: request and decisions each hold them, and a permit is no
# larger than 1 MiB.
MAX_VARIABLES_BYTES = 32 << 10


def _names(table: str) -> tuple[str, ...]:
    """Return the words of a table that has its comments in it."""
    return tuple(word for line in table.splitlines() for word in line.partition("#")[0].split())


# Names of ours: how many threads a library takes. Every release may set them, declared or not.
SETTABLE = frozenset(
    _names("""
    OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS NUMEXPR_NUM_THREADS TOKENIZERS_PARALLELISM
""")
)

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,62}")

# What no release may set, declared or not: people approve a Bento by its digest, and each of these
# makes a process run, load, read or trust something else than what stands in it. Small letters
# (``http_proxy``) and a leading underscore (``_JAVA_OPTIONS``) are excluded by the form of a name.
# Permits that were approved are read by this list too: a name that is added stops what sets it.
_NEVER = frozenset(
    _names("""
    # Where programs, and what a process takes for its own folders and person, are looked up.
    PATH HOME TMPDIR TMP TEMP TEMPDIR USER USERNAME LOGNAME PWD
    OLDPWD
    # Shells: files and commands that one runs at its start, and how it splits words.
    SHELL SHELLOPTS ENV IFS PS0 PS1 PS2 PS3 PS4 PROMPT_COMMAND
    CDPATH FPATH ZDOTDIR GLOBIGNORE EXECIGNORE HISTFILE INPUTRC FCEDIT
    # Programs that libraries run by these names: compilers, viewers, editors.
    CC CXX CPP LD AR AS NVCC MAKEFLAGS EDITOR VISUAL PAGER
    BROWSER LESSOPEN LESSCLOSE
    # libc: locale and time zone files, message catalogues, the resolver.
    LANG LANGUAGE LOCPATH NLSPATH I18NPATH TEXTDOMAIN TEXTDOMAINDIR
    OUTPUT_CHARSET TZDIR DATEMSK MSGVERB SEV_LEVEL POSIXLY_CORRECT
    GETCONF_DIR GMON_OUT_PREFIX PCPROFILE_OUTPUT SEGFAULT_SIGNALS RES_OPTIONS
    HOSTALIASES LOCALDOMAIN NIS_PATH
    # Interpreters other than Python's (below, by prefix).
    CLASSPATH JDK_JAVA_OPTIONS GODEBUG R_HOME R_LIBS R_LIBS_USER R_PROFILE
    R_PROFILE_USER R_ENVIRON R_ENVIRON_USER VIRTUAL_ENV MPLBACKEND
    MPLCONFIGDIR
    # Whom a client believes, and what it takes as a secret or its settings.
    SSLKEYLOGFILE REQUESTS_CA_BUNDLE AWS_CA_BUNDLE HTTPLIB2_CA_CERTS NETRC
    WGETRC SASL_PATH LDAPCONF LDAPRC ODBCINI ODBCSYSINI ODBCINSTINI
    # The server: CGI (it turns urllib's care with HTTP_PROXY), workers, whom it believes.
    REQUEST_METHOD GATEWAY_INTERFACE WEB_CONCURRENCY FORWARDED_ALLOW_IPS
    # What a service manager hands on: sockets, its own door, credentials.
    NOTIFY_SOCKET MAINPID JOURNAL_STREAM CREDENTIALS_DIRECTORY
    # Profilers and tools that are libraries, loaded by name.
    HEAPPROFILE CPUPROFILE HSA_TOOLS_LIB ROCP_TOOL_LIB
""")
)
_NEVER_PREFIXES = _names("""
    # What Placet and BentoML tell a replica.
    PLACET_ BENTOML_
    # Loader, allocator, converters, locale, resolver.
    LD_ DYLD_ GLIBC_ LIBC_ MUSL_ MALLOC_ TCMALLOC_ JEMALLOC_ JE_MALLOC_ MEMUSAGE_ GCONV_ LC_
    RESOLV_
    # Shells; BASH_FUNC_… is a function that a shell runs.
    BASH KSH_ ZSH_
    # Python, what its .pth files read, and installers.
    PYTHON PYTEST_ PYDEVD_ DEBUGPY_ COVERAGE_ SETUPTOOLS_ DISTUTILS_ IPYTHON PIP_ UV_ CONDA_
    # Other interpreters.
    PERL RUBY GEM_ BUNDLE_ NODE_ NPM_ JAVA_ LUA_ PHP TCL JULIA_ GUILE_ ERL_ DOTNET_ CORECLR_
    COMPLUS_ MONO_
    # Trust, proxies, and who runs a command.
    SSL_ OPENSSL_ GNUTLS_ NSS_ P11_ PKCS11 KRB5 CURL_ GRPC_ SOCKS TSOCKS_ PROXYCHAINS_ GIT_ SSH_
    SUDO_
    # The server.
    CIRCUS UVICORN_ UVLOOP_ GUNICORN_ PROMETHEUS_ OTEL_PYTHON_
    # Session and service manager.
    LISTEN_ WATCHDOG_ XDG_ DBUS_ TERMINFO TERMCAP
    # Libraries that load others by name.
    OMP_TOOL INTEL_ CUDA_INJECTION NVTX_INJECTION OMPI_ OPAL_ PMIX_ I_MPI_ UCX_ GIO_ GTK_ QT_
    GST_ FONTCONFIG_
""")
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
    pairs = ((str(name), variable_fault(name) or value_fault(text)) for name, text in value.items())
    faults = [(name[:64], fault) for name, fault in sorted(pairs) if fault]
    if not faults and sum(len(f"{n}{text}".encode()) for n, text in value.items()) > (
        MAX_VARIABLES_BYTES
    ):
        return [("", f"have names and values of more than {MAX_VARIABLES_BYTES} bytes together")]
    return faults


def undeclared(variables: Iterable[str], declared: Iterable[str]) -> list[str]:
    """Return the names that a release sets though its version does not declare them, sorted."""
    return sorted(set(variables) - set(declared) - SETTABLE)


def declaration_faults(names: object) -> list[tuple[int | None, str]]:
    """Return what is wrong with the names that a version declares, each with its place."""
    if not isinstance(names, list) or len(names) > MAX_VARIABLES:
        return [(None, f"must be a list of at most {MAX_VARIABLES} names")]
    faults: list[tuple[int | None, str]] = []
    for index, name in enumerate(names):
        if fault := variable_fault(name):
            faults.append((index, fault))
        elif name in names[:index]:
            faults.append((index, f"{name} is named twice"))
    return faults
