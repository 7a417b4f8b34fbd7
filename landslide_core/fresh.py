"""A new file, written beside its place and moved there whole: never half of one, never over one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path
from typing import Final

from pyogrio.errors import DataSourceError

from landslide_core.errors import CannotWrite, NoSpace

_BYTES_FULL: Final = 1_000_000  # free, under which a failed write is put down to a full disk


@contextmanager
def fresh(out: Path) -> Iterator[Path]:
    """Where to write what shall become `out`; it is there once the block ends without an error.

    Raises CannotWrite where `out` is there already or its folder does not take it, NoSpace on a
    full disk.
    """
    _refuse(out)
    # Its own ending stays: some drivers choose the format by it.
    beside = out.with_name(f".partial-{os.getpid()}-{out.name}")
    try:
        yield beside
        _move(beside, out)
    except (OSError, DataSourceError) as error:
        full = shutil.disk_usage(out.parent).free < _BYTES_FULL
        if getattr(error, "errno", None) == ENOSPC or full:
            raise NoSpace(
                f"The disk filled up while writing {out}; nothing of it was kept. Free some space "
                "or choose another --out."
            ) from error
        if not isinstance(error, OSError):
            raise
        raise CannotWrite(
            f"{out} cannot be written ({error.strerror or error}). Choose another --out."
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def _refuse(out: Path) -> None:
    if not out.absolute().parent.is_dir():
        raise CannotWrite(
            f"{out} lies in no folder that is there; an existing one is needed. Make it first."
        )
    if out.exists():
        raise _there(out)


def _there(out: Path) -> CannotWrite:
    return CannotWrite(
        f"{out} exists already; a new name is needed, nothing is overwritten. Choose another "
        "--out or remove it first."
    )


def _move(beside: Path, out: Path) -> None:
    """Give a finished file its name, unless somebody took that meanwhile."""
    try:
        os.link(beside, out)
    except FileExistsError as error:
        raise _there(out) from error
    except OSError:  # sticks and shares without hard links
        _refuse(out)
        beside.replace(out)
