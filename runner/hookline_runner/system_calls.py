"""Numbers of Linux system calls, and which of them code in the sandbox is refused.

Standard library only.
"""

from __future__ import annotations

from typing import Final

X86_64: Final = 0
AARCH64: Final = 1

# The newest call that is known here; what is newer does not exist in the sandbox, so that nobody learns of it there first.
NEWEST: Final = 456

# Name → its number on x86_64 and on aarch64; None where there is none.
NUMBERS: Final[dict[str, tuple[int | None, int | None]]] = {
    "_sysctl": (156, None),
    "acct": (163, 89),
    "add_key": (248, 217),
    "afs_syscall": (183, None),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "clone3": (435, 435),
    "create_module": (174, None),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "fcntl": (72, 25),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "get_kernel_syms": (177, None),
    "get_mempolicy": (239, 236),
    "getpmsg": (181, None),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "ioperm": (173, None),
    "iopl": (172, None),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "mbind": (237, 235),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "putpmsg": (182, None),
    "query_module": (178, None),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "security": (185, None),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "setpriority": (141, 140),
    "settimeofday": (164, 170),
    "socket": (41, 198),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "sysfs": (139, None),
    "syslog": (103, 116),
    "tuxcall": (184, None),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "ustat": (136, None),
    "vhangup": (153, 58),
    "vserver": (236, None),
}

# What changes the machine, reaches into other processes or the kernel, or is a way around what is checked elsewhere.
REFUSED: Final = frozenset(
    {
        *("_sysctl", "acct", "afs_syscall", "bpf", "chroot", "clock_settime", "lookup_dcookie"),
        *("create_module", "delete_module", "finit_module", "init_module", "get_kernel_syms"),
        *("query_module", "kexec_file_load", "kexec_load", "reboot", "swapoff", "swapon"),
        *("fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount"),
        *("open_tree", "pivot_root", "umount2", "setns", "open_by_handle_at"),
        *("fanotify_init", "fanotify_mark", "quotactl", "quotactl_fd", "nfsservctl"),
        *("add_key", "keyctl", "request_key", "memfd_secret", "userfaultfd", "perf_event_open"),
        *("io_uring_enter", "io_uring_register", "io_uring_setup", "modify_ldt", "ioperm", "iopl"),
        *("get_mempolicy", "mbind", "migrate_pages", "move_pages", "set_mempolicy"),
        *("set_mempolicy_home_node", "kcmp", "pidfd_getfd", "process_madvise", "process_mrelease"),
        *("process_vm_readv", "process_vm_writev", "ptrace", "getpmsg", "putpmsg", "security"),
        *("setdomainname", "sethostname", "settimeofday", "sysfs", "syslog", "tuxcall"),
        *("uselib", "ustat", "vhangup", "vserver"),
    }
)

# What a zygote needs until its sessions begin: memory to pin, and walls to put round each of them.
ZYGOTES: Final = frozenset({"io_uring_register", "io_uring_setup", "mount"})
