"""How kernels are compiled: by numba, once per machine, and kept on disk."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit
from numba.core import entrypoints
from numba.core.runtime import rtsys  # type: ignore[attr-defined]


def _cached() -> bool:
    """Whether compiled kernels can be kept; finds a folder when neither package nor home is writable."""
    home = Path(os.path.expanduser("~"))
    kept = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    if kept or os.access(Path(__file__).parent, os.W_OK) or os.access(home, os.W_OK):
        return True
    folder = Path(tempfile.gettempdir()) / f"medical-corpus-kernels-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        return False  # somebody else's: what lies there is not ours to run
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    return True


def kernel(function: Callable[..., Any]) -> Any:
    """A compiled function of plain arrays and numbers, from the disk when it was compiled before.

    Before numba loads what is compiled already, it would read in everything that it could compile
    with, and needs none of it: 0.3 s of CPU in every process, and 0.3 s more where scipy is installed.
    """
    compiled = njit(cache=CACHED, nogil=True, error_model="numpy")(function)
    cache = compiled._cache  # type: ignore[attr-defined]
    if CACHED and hasattr(cache, "_load_overload"):

        def load(signature: Any, context: Any) -> Any:
            rtsys.initialize(context)
            return cache._load_overload(signature, context)

        cache.load_overload = load
    return compiled


# Nor does it need the installed packages that extend it (awkward alone takes 0.3 s).
if hasattr(entrypoints, "_already_initialized"):
    entrypoints._already_initialized = True
CACHED = _cached()
