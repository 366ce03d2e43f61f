"""Parts that a setting names: one of ours by its name in a registry, a user's own as `package.module:Name`."""

import importlib
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def resolve(key: str, name: str, registry: Mapping[str, T], *, nullable: bool = False, further: str = "") -> T:
    """The part that `mrt.<key>` names.

    Args:
        key: the setting's name, for the error.
        name: a key of `registry`, or where to import a part of one's own from.
        nullable: whether the setting may be null, for the error.
        further: another form of name that is allowed, for the error.

    Raises:
        ValueError: there is no such part; says what was got and what is allowed.
    """
    if name in registry:
        return registry[name]
    names = [*(["null"] if nullable else []), *registry, *([further] if further else [])]
    allowed = f"allowed: {', '.join(names)}, or package.module:Name"
    module, separator, attribute = str(name).partition(":")
    if not separator:
        raise ValueError(f"mrt.{key}={name!r}; {allowed}")
    try:
        part: T = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"mrt.{key}={name!r}: {error}; {allowed}") from error
    except Exception as error:  # a module of one's own may raise anything while it is imported
        raise ValueError(f"mrt.{key}={name!r}: {type(error).__name__}: {error}; {allowed}") from error
    if not callable(part):
        raise ValueError(f"mrt.{key}={name!r} is {part!r}; {allowed}")
    return part
