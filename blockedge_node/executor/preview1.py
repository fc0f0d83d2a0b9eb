"""The numbers of WASI preview 1 (`wasi_snapshot_preview1`), as wasi-libc uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MODULE: Final = "wasi_snapshot_preview1"

# name → parameter types, i = i32 and I = i64. All return one i32, an errno, except proc_exit.
SIGNATURES: Final[Mapping[str, str]] = {
    "args_get": "ii",
    "args_sizes_get": "ii",
    "clock_res_get": "ii",
    "clock_time_get": "iIi",
    "environ_get": "ii",
    "environ_sizes_get": "ii",
    "fd_advise": "iIIi",
    "fd_allocate": "iII",
    "fd_close": "i",
    "fd_datasync": "i",
    "fd_fdstat_get": "ii",
    "fd_fdstat_set_flags": "ii",
    "fd_fdstat_set_rights": "iII",
    "fd_filestat_get": "ii",
    "fd_filestat_set_size": "iI",
    "fd_filestat_set_times": "iIIi",
    "fd_pread": "iiiIi",
    "fd_prestat_dir_name": "iii",
    "fd_prestat_get": "ii",
    "fd_pwrite": "iiiIi",
    "fd_read": "iiii",
    "fd_readdir": "iiiIi",
    "fd_renumber": "ii",
    "fd_seek": "iIii",
    "fd_sync": "i",
    "fd_tell": "ii",
    "fd_write": "iiii",
    "path_create_directory": "iii",
    "path_filestat_get": "iiiii",
    "path_filestat_set_times": "iiiiIIi",
    "path_link": "iiiiiii",
    "path_open": "iiiiiIIii",
    "path_readlink": "iiiiii",
    "path_remove_directory": "iii",
    "path_rename": "iiiiii",
    "path_symlink": "iiiii",
    "path_unlink_file": "iii",
    "poll_oneoff": "iiii",
    "proc_exit": "i",
    "proc_raise": "i",
    "random_get": "ii",
    "sched_yield": "",
    "sock_accept": "iii",
    "sock_recv": "iiiiii",
    "sock_send": "iiiii",
    "sock_shutdown": "ii",
}

# errno
OK, EBADF, EINVAL, EISDIR, EMFILE, ENOENT, ENOSYS = 0, 8, 28, 31, 33, 44, 52
ENOTDIR, EROFS, ESPIPE, ENOTCAPABLE = 54, 69, 70, 76

# File types. Stdio is "unknown": as a character device, wasi-libc would take it for a terminal and write
# every line by itself.
UNKNOWN, DIRECTORY, REGULAR = 0, 3, 4

# Rights: fd_read, fd_write; seek, tell, open, readdir, stat
READ, WRITE = 1 << 1, 1 << 6
ALL_READING = READ | 1 << 2 | 1 << 5 | 1 << 13 | 1 << 14 | 1 << 18 | 1 << 21

# oflags of path_open
CREAT, EXCL, TRUNC, MUST_BE_DIR = 1, 4, 8, 2

ROOT_FD = 3  # the first descriptor after stdio, where libraries look for what they were given
