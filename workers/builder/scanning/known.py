"""Which names a pickle may call for, and what calling for them means.

A pickle is a program. No list makes it safe: the best verdict that a pickle gets is
``code-carrying``. The lists tell apart what no model needs from what models are made of.
"""

import builtins
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Literal

Verdict = Literal["safe", "code-carrying", "unknown", "malicious"]
ORDER: tuple[Verdict, ...] = ("safe", "code-carrying", "unknown", "malicious")


def words(text: str) -> frozenset[str]:
    """Return the words of ``text``."""
    return frozenset(text.split())


def _is_exception(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseException)


# Modules of which no model has any use, by their first word.
HOSTILE_ROOTS = words(
    """
    os posix nt posixpath ntpath sys subprocess _posixsubprocess _winapi ctypes _ctypes cffi
    _cffi_backend importlib _frozen_importlib _frozen_importlib_external imp _imp zipimport
    pkgutil runpy pip ensurepip venv code codeop pty tty socket _socket ssl _ssl socketserver
    http urllib urllib3 requests httpx aiohttp httplib2 ftplib smtplib telnetlib poplib imaplib
    nntplib xmlrpc asyncio multiprocessing concurrent threading _thread shutil tempfile
    webbrowser antigravity pickle _pickle cPickle dill marshal shelve dbm sqlite3 bdb pdb
    cProfile profile trace timeit doctest pydoc idlelib lib2to3 distutils setuptools
    pkg_resources site test unittest turtle tkinter curses commands popen2 platform signal
    resource mmap fcntl gc inspect linecache atexit logging io _io zipfile tarfile gzip bz2 lzma
    fileinput glob configparser cgi cgitb wsgiref readline rlcompleter cmd sysconfig
    _sysconfigdata _osx_support _aix_support _pyrepl ast dis symtable compileall py_compile
    tracemalloc faulthandler pyexpat xml getpass pwd grp spwd crypt syslog select selectors
    mailcap pipes asyncore asynchat smtpd nis msilib
    sched queue _queue contextvars contextlib codecs paramiko fabric invoke sh plumbum pexpect
    ptyprocess psutil docker kubernetes boto3 IPython ipykernel jupyter
    """
)
HOSTILE_PREFIXES = (
    "numpy.testing",
    "numpy.distutils",
    "numpy.f2py",
    "numpy.ctypeslib",
    "numpy.lib.npyio",
    "numpy.lib._npyio_impl",
    "torch.hub",
    "torch.utils.cpp_extension",
    "torch.utils.bottleneck",
    "torch.distributed",
    "torch.multiprocessing",
    "torch._inductor",
    "torch._dynamo",
    "torch.jit",
    "torch.package",
    "torch.fx",
    "torch.serialization",
    "pandas.io",
    "pandas.core.computation",
    "joblib.memory",
    "joblib.parallel",
    "joblib.externals.loky",
    "joblib._parallel_backends",
    "scipy._lib._testutils",
    "scipy.io",
    "scipy.weave",
    "sklearn.externals.joblib",
    "sklearn.datasets",
    "sklearn.utils._testing",
    "mlflow.projects",
    "mlflow.utils.process",
    "cloudpickle.cloudpickle.subprocess",
    "torch.utils._config_module",
    "torch.utils.collect_env",
    "torch.utils.data.datapipes",
)
# Names that run, import, look up or open something, wherever they are found.
HOSTILE_NAMES = words(
    """
    eval exec execfile compile __import__ import_module open system popen popen2 popen3 popen4
    spawn spawnl spawnv spawnve spawnvp execl execv execve execvp fork forkpty fork_exec
    posix_spawn posix_spawnp startfile getattr setattr delattr globals locals vars breakpoint
    input attrgetter methodcaller resolve_name runstring run_module run_path run_line_magic
    load_module exec_module get_data CDLL PyDLL WinDLL dlopen LoadLibrary FunctionType CodeType
    LambdaType make_dataclass literal_exec call_trace read_pickle read_csv load loads
    load_library cpp_extension __build_class__ __getattribute__ __globals__ __builtins__
    __subclasses__ __reduce__ __reduce_ex__ add_extension finalize callback register_at_fork
    load_compatibility load_temporary_memmap __setstate__ __setattr__ __setitem__ __set__
    """
)
NAMES_OF_MODULES = frozenset(
    {
        "os",
        "_os",
        "sys",
        "_sys",
        "subprocess",
        "builtins",
        "__builtins__",
        "importlib",
        "ctypes",
        "shutil",
        "socket",
        "runpy",
        "pickle",
        "_pickle",
        "io",
        "posix",
        "nt",
    }
)

# Modules of Python's own whose import does nothing that counts: NumPy, and so every loader of
# models, has loaded the first ones anyway; the others define things.
INERT = words(
    """
    abc ast builtins codecs collections contextlib contextvars copyreg ctypes datetime dis enum
    errno functools importlib inspect io itertools keyword linecache marshal math numbers opcode
    operator os pickle platform posix re site stat struct sys textwrap time token tokenize types
    typing warnings weakref

    array bisect calendar cmath code copy csv decimal fractions hashlib heapq html json locale
    profile queue random resource select signal statistics string trace uuid
    """
)

# What of Python's own makes or computes a value and reaches nothing by a name: types, what applies
# a function that is judged by itself, and every exception. Not ``super``, ``vars``, ``format`` and
# the like, which come to attributes, nor what reads or prints.
SAFE_BUILTINS = words(
    """
    bool bytearray bytes classmethod complex dict enumerate filter float frozenset int list map
    memoryview object property range reversed set slice staticmethod str tuple type zip
    NoneType Ellipsis NotImplemented long unicode xrange
    abs all any ascii bin callable chr divmod hash hex id isinstance issubclass iter len max min
    next oct ord pow repr round sorted sum
    """
) | {name for name, kind in vars(builtins).items() if _is_exception(kind)}
# The standard library that models are made of; None stands for every name of the module.
STDLIB: dict[str, frozenset[str] | None] = {
    "collections": None,
    "collections.abc": None,
    "_collections": None,
    "datetime": None,
    "_datetime": None,
    "decimal": None,
    "_decimal": None,
    "fractions": None,
    "enum": None,
    "numbers": None,
    "array": None,
    "abc": None,
    "typing": None,
    "math": None,
    "cmath": None,
    "ipaddress": None,
    "zoneinfo": None,
    "itertools": None,
    "uuid": frozenset({"UUID", "SafeUUID"}),
    "_codecs": frozenset({"encode"}),
    "re": frozenset({"_compile"}),
    "copy": frozenset({"copy"}),
    "copyreg": frozenset({"_reconstructor", "__newobj__", "__newobj_ex__"}),
    "copy_reg": frozenset({"_reconstructor", "__newobj__", "__newobj_ex__"}),
    "functools": frozenset({"partial", "cmp_to_key"}),
    "_functools": frozenset({"partial"}),
    "operator": frozenset({"itemgetter", "add", "sub", "mul", "truediv", "neg", "lt", "gt"}),
    "_operator": frozenset({"itemgetter", "add", "sub", "mul", "truediv", "neg", "lt", "gt"}),
    "pathlib": frozenset(
        {"Path", "PosixPath", "PurePath", "PurePosixPath", "WindowsPath", "PureWindowsPath"}
    ),
    "pathlib._local": frozenset({"Path", "PosixPath", "PurePath", "PurePosixPath"}),
    "random": frozenset({"Random"}),
    "_random": frozenset({"Random"}),
    "time": frozenset({"struct_time"}),
    "types": frozenset({"SimpleNamespace", "MappingProxyType"}),
}
# Libraries that models are made of: worth no finding. Everything else is listed.
MODEL_ROOTS = words(
    """
    sklearn numpy scipy pandas joblib xgboost lightgbm catboost torch statsmodels imblearn
    category_encoders onnx skl2onnx mlflow pyarrow polars numba threadpoolctl
    """
)


def judge(module: str, name: str) -> tuple[Verdict, str]:
    """Return the verdict on ``module.name`` and, when it is worth telling, why."""
    full = f"{module}.{name}"
    root = module.partition(".")[0]
    parts = [part for part in name.split(".") if part]
    if root in HOSTILE_ROOTS or module.startswith(HOSTILE_PREFIXES):
        return "malicious", f"asks for {full}"
    if root in {"builtins", "__builtin__"}:
        plain = not any("__" in part or part in HOSTILE_NAMES for part in parts[1:])
        good = name.partition(".")[0] in SAFE_BUILTINS and plain
        return ("code-carrying", "") if good else ("malicious", f"asks for {full}")
    if not (HOSTILE_NAMES.isdisjoint(parts) and NAMES_OF_MODULES.isdisjoint(parts)):
        return "malicious", f"asks for {full}"
    if "__" in name and any(one.startswith("__") and one.endswith("__") for one in parts[:-1]):
        return "malicious", f"reaches into {full}"
    if root in sys.stdlib_module_names or root == "copy_reg":
        allowed = STDLIB.get(module, frozenset())
        if allowed is None or name in allowed:
            return "code-carrying", ""
        return "unknown", f"asks for {full} of the standard library"
    if root in MODEL_ROOTS and len(parts) == 1:
        return "code-carrying", ""
    return "code-carrying", f"calls for {full}"


def leads_nowhere(module: str, name: str) -> bool:
    """Tell whether nothing would come of it to ask for ``module.name``, and not to call it."""
    top = module.partition(".")[0]
    if not top or top in sys.stdlib_module_names:
        loaded = import_module(module) if module in INERT else None
        return loaded is not None and not hasattr(loaded, name.partition(".")[0])
    return judge(module, name if top in MODEL_ROOTS else "")[0] == "code-carrying"


def harmless(asked: Iterable[tuple[str, str]]) -> bool:
    """Tell whether nothing that runs or opens something is among names that nobody calls."""
    return not any(
        module.startswith(".") or not HOSTILE_NAMES.isdisjoint(name.split("."))
        for module, name in asked
    )


def shown(text: str) -> str:
    """Return a name out of a file as people may see it."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:200])


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the gravest of ``verdicts``; of none, ``unknown``."""
    return max(verdicts, key=ORDER.index, default="unknown")
