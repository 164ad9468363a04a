"""Which functions are deterministic, and which give values that ride: the data of the decision table.

A module is matched exactly by the name its functions carry, less leading underscores of its parts (`_io` is `io`).
"""

from __future__ import annotations

from typing import Final

# Functions, classes and methods of these are called directly: their result depends on their arguments alone, or they
# change nothing but objects of this process, which resumption has to rebuild.
DIRECT_MODULES: Final = frozenset(
    [
        "abc",
        "array",
        "ast",
        "base64",
        "binascii",
        "bisect",
        "builtins",
        "bz2",
        "calendar",
        "cmath",
        "codecs",
        "collections",
        "collections.abc",
        "colorsys",
        "contextlib",
        "contextvars",
        "copy",
        "copyreg",
        "csv",
        "dataclasses",
        "datetime",
        "decimal",
        "difflib",
        "enum",
        "fnmatch",
        "fractions",
        "functools",
        "gc",
        "graphlib",
        "gzip",
        "hashlib",
        "heapq",
        "hmac",
        "html",
        "html.entities",
        "html.parser",
        "inspect",
        "ipaddress",
        "itertools",
        "keyword",
        "linecache",
        "locale",
        "logging",
        "logging.config",
        "logging.handlers",
        "lzma",
        "math",
        "numbers",
        "operator",
        "pprint",
        "queue",
        "quopri",
        "re",
        "re.compiler",
        "re.parser",
        "sched",
        "shlex",
        "signal",
        "sre",
        "statistics",
        "stats",
        "string",
        "struct",
        "sys",
        "textwrap",
        "threading",
        "token",
        "tokenize",
        "tomllib",
        "traceback",
        "types",
        "typing",
        "typing_extensions",
        "unicodedata",
        "urllib.error",
        "urllib.parse",
        "warnings",
        "weakref",
        "weakrefset",
        "xml",
        "xml.dom",
        "xml.dom.minidom",
        "xml.dom.pulldom",
        "xml.etree.ElementTree",
        "elementtree",
        "xml.parsers.expat",
        "pyexpat",
        "xml.sax",
        "zipfile",
        "zlib",
        "zoneinfo",
        "asyncio",
        "asyncio.coroutines",
        "asyncio.events",
        "asyncio.exceptions",
        "asyncio.futures",
        "asyncio.locks",
        "asyncio.mixins",
        "asyncio.queues",
        "asyncio.runners",
        "asyncio.taskgroups",
        "asyncio.tasks",
        "asyncio.timeouts",
        "concurrent.futures",
        "concurrent.futures.base",
        "concurrent.futures.process",
        "concurrent.futures.thread",
        "anyio.abc.tasks",
        "anyio.backends.asyncio",
        "anyio.core.synchronization",
        "anyio.core.tasks",
        "anyio.streams.memory",
        "async_timeout",
    ]
)

# C halves that are not named after their module.
MODULE_ALIASES: Final = {
    "sha1": "hashlib",
    "sha2": "hashlib",
    "sha3": "hashlib",
    "sha256": "hashlib",
    "sha512": "hashlib",
    "md5": "hashlib",
    "blake2": "hashlib",
    "thread": "threading",
    "pydecimal": "decimal",
    "pydatetime": "datetime",
    "posix": "os",
    "nt": "os",
}

# Asked for a result that depends on a thread's work, so recorded although their module is direct.
RECORDED_METHODS: Final = frozenset(
    {("concurrent.futures.base", "result"), ("concurrent.futures.base", "exception")}
)

DIRECT_FUNCTIONS: Final = frozenset(
    {
        ("json", "dumps"),
        ("json", "loads"),
        ("io", "StringIO"),
        ("io", "BytesIO"),
        ("os", "chdir"),
        ("os", "fspath"),
        ("os", "putenv"),
        ("os", "unsetenv"),
        ("os", "umask"),
    }
    | {
        # what only arranges tasks of the session; anyio presents it all as its own top module
        ("anyio", name)
        for name in (
            "CancelScope",
            "CapacityLimiter",
            "Condition",
            "Event",
            "Lock",
            "Semaphore",
            "create_memory_object_stream",
            "create_task_group",
            "current_effective_deadline",
            "fail_after",
            "get_cancelled_exc_class",
            "get_current_task",
            "move_on_after",
            "move_on_at",
            "run",
            "sleep_forever",
        )
    }
)

# Recorded, but nothing outside depends on them: they go to disk with the next call that must.
RIDING_MODULES: Final = frozenset({"secrets", "time", "uuid"})

RIDING_FUNCTIONS: Final = frozenset(
    {
        ("datetime", "now"),
        ("datetime", "today"),
        ("datetime", "utcnow"),
        ("os", "getenv"),
        ("os", "getenvb"),
        ("os", "urandom"),
        ("os", "getpid"),
        ("os", "getcwd"),
        ("os", "cpu_count"),
        ("logging", "debug"),
        ("logging", "info"),
        ("logging", "warning"),
        ("logging", "warn"),
        ("logging", "error"),
        ("logging", "exception"),
        ("logging", "critical"),
        ("logging", "fatal"),
        ("logging", "log"),
    }
    | {
        (module, name)
        for module in ("posixpath", "ntpath", "genericpath")
        for name in [
            "abspath",
            "basename",
            "commonpath",
            "commonprefix",
            "dirname",
            "expanduser",
            "expandvars",
            "isabs",
            "join",
            "normcase",
            "normpath",
            "relpath",
            "split",
            "splitdrive",
            "splitext",
        ]
    }
)

# Reads of `os.environ`; its other methods change it and are direct.
ENVIRONMENT_READS: Final = frozenset(
    {"get", "items", "keys", "values", "copy", "__contains__", "__getitem__", "__len__"}
)

# Methods of the event loop that reach outside; the others are its own business.
LOOP_ACTIVITIES: Final = frozenset(
    [
        "run_in_executor",
        "getaddrinfo",
        "getnameinfo",
        "create_connection",
        "create_server",
        "create_unix_connection",
        "create_unix_server",
        "create_datagram_endpoint",
        "connect_accepted_socket",
        "connect_read_pipe",
        "connect_write_pipe",
        "sendfile",
        "start_tls",
        "sock_recv",
        "sock_recv_into",
        "sock_recvfrom",
        "sock_recvfrom_into",
        "sock_sendall",
        "sock_sendto",
        "sock_sendfile",
        "sock_connect",
        "sock_accept",
        "subprocess_exec",
        "subprocess_shell",
    ]
)

# Methods that build or take part in an object's life: always part of the object, never a step of the session.
OBJECT_METHODS: Final = frozenset(
    {
        "__init__",
        "__new__",
        "__init_subclass__",
        "__class_getitem__",
        "__set_name__",
        "__setattr__",
        "__delattr__",
        "__getattribute__",
    }
)
