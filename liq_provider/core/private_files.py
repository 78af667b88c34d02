"""
The files beside a store: for their owner's eyes only, and never written through a link.

What models were asked stands in them, and a link that somebody put in their place would have us
overwrite what it points to. A directory with the set-group-ID bit (``chmod g+s``) is shared with
its group on purpose; there the group may read and write, too. The umask has no say in either.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_OWNER = 0o600
_GROUP = 0o660


def mode_in(directory: Path) -> int:
    """:return: permissions of our files in it"""
    try:
        shared = directory.stat().st_mode & stat.S_ISGID
    except OSError:
        return _OWNER
    return _GROUP if shared else _OWNER


def opener(path: str, flags: int) -> int:
    """For ``open(..., opener=...)``."""
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC
    wanted = mode_in(Path(path).parent)
    if flags & os.O_CREAT:
        try:
            file = os.open(path, flags | os.O_EXCL, wanted)
        except FileExistsError:
            if flags & os.O_EXCL:
                raise
        else:
            os.fchmod(file, wanted)
            return file
    return os.open(path, flags, wanted)


def make(path: Path) -> None:
    """An empty file, if there is none."""
    with suppress(FileExistsError), open(path, "x", opener=opener):
        pass


def replace_text(path: Path, text: str, *, for_all: bool = False) -> None:
    """
    In one step, so that nobody reads half of it; what a link points to stays as it is. A device or
    a pipe, such as /dev/null, is written to and stays what it is.

    :param for_all: who may read it is left to the umask
    """
    if path.exists() and not (path.is_file() or path.is_dir() or path.is_symlink()):
        path.write_text(text, encoding="utf-8")
        return
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    own = None if for_all else opener
    try:
        with open(new, "x", encoding="utf-8", opener=own) as file:
            file.write(text)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def narrow(paths: Iterable[Path]) -> list[Path]:
    """
    Take from others what earlier versions, or somebody's umask, let them do.

    :return: files whose permissions were changed; those of another user are left to them
    """
    changed = []
    for path in paths:
        with suppress(OSError):
            status = path.lstat()
            wanted = mode_in(path.parent)
            if stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) & ~wanted:
                path.chmod(stat.S_IMODE(status.st_mode) & wanted)
                changed.append(path)
    return changed
