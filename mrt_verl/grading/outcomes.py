"""Outcomes other than math-verify: verl's `default_compute_score` and a run's `custom_reward_function`.

A worker is a fresh interpreter, so a function travels as "where to import it from". verl loads a custom function from
its file without registering the module, and wraps it in `functools.partial`: both survive the way.
"""

import asyncio
import importlib
import importlib.util
import inspect
import io
import pickle
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any


class _FunctionPickler(pickle.Pickler):
    """Pickles a function of a file that nobody can import by name as (file, name)."""

    def reducer_override(self, obj: Any) -> Any:
        if not inspect.isfunction(obj) or _importable(obj):
            return NotImplemented
        if "<" in obj.__qualname__:
            raise pickle.PicklingError(f"{obj.__qualname__} is not at the top level of its file")
        return load_function, (obj.__code__.co_filename, obj.__qualname__)


def _importable(function: Any) -> bool:
    module = sys.modules.get(function.__module__)
    return module is not None and function.__module__ != "__main__" and hasattr(module, function.__name__)


@lru_cache(maxsize=64)
def load_function(path: str, name: str) -> Any:
    """The function `name` of the Python file at `path`."""
    spec = importlib.util.spec_from_file_location(f"mrt_verl_outcome_{abs(hash(path))}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def pack(compute_score: Callable[..., Any] | str) -> bytes:
    """The function as bytes for a worker; a string "package.module:name" is imported there.

    Raises:
        TypeError: it is a lambda, a closure or an object that cannot be pickled.
    """
    if isinstance(compute_score, str):
        return compute_score.encode()
    buffer = io.BytesIO()
    try:
        _FunctionPickler(buffer, pickle.HIGHEST_PROTOCOL).dump(compute_score)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"{compute_score!r} cannot run under a deadline: give a function at the top level of a file or module, "
            f"or 'package.module:name' ({error})"
        ) from error
    return buffer.getvalue()


def unpack(packed: bytes) -> Callable[..., Any]:
    """The function that `pack` took, imported in this process."""
    if packed.startswith(b"\x80"):
        return pickle.loads(packed)
    module, _, name = packed.decode().partition(":")
    return getattr(importlib.import_module(module), name)


def run(compute_score: Callable[..., Any], arguments: Mapping[str, Any]) -> tuple[float, dict[str, Any] | None]:
    """Call a sync or async function that returns a number or a dict with "score".

    Returns:
        The score, and the dict if there was one.
    """
    result = compute_score(**arguments)
    if inspect.isawaitable(result):
        result = asyncio.run(_await(result))
    if isinstance(result, Mapping):
        return float(result["score"]), dict(result)
    return float(result), None


async def _await(awaitable: Any) -> Any:
    return await awaitable
