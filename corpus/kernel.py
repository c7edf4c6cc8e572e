"""How kernels are compiled: by numba, once per machine, and kept on disk."""

import importlib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numba
from numba import njit
from numba.core import entrypoints


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


def _without(names: Sequence[str], module: str) -> None:
    """Imports a module as if the named ones, which it can do without, were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules |= dict.fromkeys(hidden)  # type: ignore[arg-type]
    try:
        importlib.import_module(module)
    finally:
        for name in hidden:
            del sys.modules[name]


# Numba looks for BLAS in scipy.linalg and for cffi's functions, which kernels do not call: 0.4 s of CPU.
_without(("scipy.linalg",), "numba.np.arraymath")
_without(("cffi",), "numba.core.typing.cffi_utils")

# Numba would import every installed package that extends it (awkward alone takes 0.3 s of CPU in
# every process); the kernels take plain arrays only.
if hasattr(entrypoints, "_already_initialized"):
    entrypoints._already_initialized = True
kernel = njit(cache=_cached(), nogil=True, error_model="numpy")
