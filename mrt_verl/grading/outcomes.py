"""Outcomes other than math-verify: verl's `default_compute_score` and a run's `custom_reward_function`.

A worker is a fresh interpreter, so a function travels as "where to import it from". verl loads a custom function from
its file without registering the module, and wraps it in `functools.partial`: both survive the way.
"""

import asyncio
import functools
import importlib
import importlib.util
import inspect
import io
import json
import pickle
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

VERL_DEFAULT = "verl.utils.reward_score:default_compute_score"


class _Pickler(pickle.Pickler):
    """Pickles a function of a file that nobody can import by name as (file, name)."""

    def reducer_override(self, obj: Any) -> Any:
        if not inspect.isfunction(obj) or _is_importable(obj):
            return NotImplemented
        if "<" in obj.__qualname__:
            raise pickle.PicklingError(f"{obj.__qualname__} is not at the top level of its file")
        return load_function, (obj.__code__.co_filename, obj.__qualname__)


def _is_importable(function: Any) -> bool:
    module = sys.modules.get(function.__module__)
    return module is not None and function.__module__ != "__main__" and hasattr(module, function.__name__)


@dataclass(frozen=True)
class FileFunction:
    """A run's `reward.custom_reward_function`, by where it stands: the worker imports it, however it is written.

    So a decorated function, a partial, a lambda, an instance with `__call__` and a bound method all travel.
    """

    path: str
    """A Python file, or `pkg://package.module`."""
    name: str
    reward_kwargs: tuple[tuple[str, Any], ...] = ()
    """Win over the call's arguments, as they do in verl."""

    @classmethod
    def from_node(cls, node: Mapping[str, Any] | None) -> "FileFunction | None":
        """Of verl's node (path, name, reward_kwargs); None without a path."""
        if not node or not node.get("path"):
            return None
        kwargs = node.get("reward_kwargs") or {}
        return cls(str(node["path"]), str(node.get("name") or "compute_score"), tuple(kwargs.items()))

    def __call__(self, **arguments: Any) -> Any:
        package, is_package = self.path.removeprefix("pkg://"), self.path.startswith("pkg://")
        module = importlib.import_module(package) if is_package else None
        function = getattr(module, self.name) if is_package else load_function(self.path, self.name)
        return function(**{**arguments, **dict(self.reward_kwargs)})


@functools.lru_cache(maxsize=64)
def load_function(path: str, name: str) -> Any:
    """The function `name` of the Python file at `path`.

    Raises:
        ImportError: it is not a Python file.
        AttributeError: it has no such function.
    """
    spec = importlib.util.spec_from_file_location(f"mrt_verl_outcome_{abs(hash(path))}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look their module up there
    spec.loader.exec_module(module)
    return getattr(module, name)


def unscored(sources: Iterable[str]) -> list[str]:
    """Those of some data sources that verl's own scorer does not know."""
    module, _, name = VERL_DEFAULT.partition(":")
    score, unknown = getattr(importlib.import_module(module), name), []
    for source in sorted(set(sources)):
        try:
            score(source, "", "0")
        except NotImplementedError:
            unknown.append(source)
        except Exception:  # it knows the source; an empty answer is no answer of it
            continue
    return unknown


def light(compute_score: Callable[..., Any] | str) -> Callable[..., Any] | str:
    """The same function without verl's wrapper around a custom one, whose module takes a worker seconds to import."""
    if isinstance(compute_score, functools.partial) and compute_score.func.__module__ == "verl.trainer.ppo.reward":
        raw_function, reward_kwargs = compute_score.args
        return functools.partial(call_with_reward_kwargs, raw_function, dict(reward_kwargs))
    return compute_score


def call_with_reward_kwargs(raw_function: Callable[..., Any], reward_kwargs: dict[str, Any], **arguments: Any) -> Any:
    """A custom function with the `reward_kwargs` of the run, which win over the call's arguments as they do in verl."""
    return raw_function(**{**arguments, **reward_kwargs})


def pack(what: Any) -> bytes:
    """A function, a string "package.module:name" that names one, or a call's arguments, as bytes for a worker.

    Raises:
        TypeError: there is a lambda, a closure or something else in it that cannot be pickled.
    """
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(what)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"{what!r:.200} cannot be sent to a worker: functions must stand at the top level of a file or module, "
            f"or be given as 'package.module:name' ({error})"
        ) from error
    return buffer.getvalue()


def unpack_function(packed: bytes) -> Callable[..., Any]:
    """The function that `pack` took, imported in this process."""
    function = pickle.loads(packed)
    if isinstance(function, str):
        module, _, name = function.partition(":")
        function = getattr(importlib.import_module(module), name)
    return function


def call(compute_score: Callable[..., Any], arguments: Mapping[str, Any]) -> tuple[float, dict[str, Any] | None]:
    """Call a sync or async function that returns a number, or a dict with "score".

    Returns:
        The score, and of a dict everything as plain JSON types: this process can load no more than that.
    """
    result = compute_score(**arguments)
    if inspect.isawaitable(result):
        result = asyncio.run(_await(result))
    if isinstance(result, Mapping):
        return float(result["score"]), json.loads(json.dumps(dict(result), default=_plain))
    return float(result), None


async def _await(awaitable: Any) -> Any:
    return await awaitable


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
