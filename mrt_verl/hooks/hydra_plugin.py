"""Makes `reward_model=mrt` compose with verl's own configs, and checks such a run before Ray starts.

verl has no option group `reward_model`, and a value set by an earlier entry of a defaults list loses to `_self_`. So
verl's `ppo_trainer` is served with `reward_model: null` appended to its defaults list, and `mrt_verl/conf` joins
Hydra's search path. A run that names no reward model composes to exactly what it was.
"""

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from hydra._internal.core_plugins.importlib_resources_config_source import ImportlibResourcesConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.experimental.callback import Callback
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, open_dict

from mrt_verl.hooks.command_line import asks_for_mrt, word_problems
from mrt_verl.locks import Lock
from mrt_verl.platforms import is_on_cpu

VERL_CONFIG = "verl.trainer.config"


class VerlConfigSource(ImportlibResourcesConfigSource):
    """verl's config package, with room for a reward model at the end of `ppo_trainer`'s defaults list."""

    @staticmethod
    def scheme() -> str:
        return "mrt"

    def load_config(self, config_path: str) -> ConfigResult:
        result = super().load_config(config_path)
        if self._normalize_file_name(config_path) == "ppo_trainer.yaml":
            config: Any = result.config
            with open_dict(config):
                config.defaults.append({"reward_model": None})
        return result


class MRTSearchPath(SearchPathPlugin):
    """Puts VerlConfigSource in the place of verl's config package and appends ours.

    A primary config from elsewhere (verl's other trainers, one's own) names verl's package in `hydra.searchpath`, which
    is read later: ours stands before it.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if asks_for_mrt(sys.argv) and (problems := list(word_problems(sys.argv[1:]))):
            raise SystemExit(_lines(problems))
        mains = [element for element in search_path.get_path() if element.provider == "main"]
        for element in mains:
            if _is_verl_config(element.path):
                element.path = f"mrt://{VERL_CONFIG}"
        if mains and not any(element.path == f"mrt://{VERL_CONFIG}" for element in mains):
            search_path.append("mrt-verl", f"mrt://{VERL_CONFIG}")
        search_path.append("mrt-verl", "pkg://mrt_verl.conf")
        if is_on_cpu():
            search_path.append("mrt-verl-cpu", "pkg://mrt_verl.cpu.conf")


def _is_verl_config(path: str | None) -> bool:
    import verl

    if path is None:
        return False

    directory = Path(verl.__file__).parent / "trainer" / "config"
    return path == f"pkg://{VERL_CONFIG}" or Path(path.removeprefix("file://")).resolve() == directory.resolve()


class CheckRun(Callback):
    """Ends a run with bad settings before Ray starts, in one line that names the key, the value and what is allowed."""

    _locks: ClassVar[list[Lock]] = []
    """Of this process's run, held until it ends."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        from mrt_verl.hooks.checks import check_run
        from mrt_verl.hooks.checks.locked import lock_run
        from mrt_verl.hooks.checks.versions import verl_refusal
        from mrt_verl.settings import MRTSettings

        try:
            if (refusal := verl_refusal()) is not None:
                raise ValueError(refusal)  # our modules do not even import beside such a verl
            for module in ("advantage", "loops", "reward_manager", "replay_buffer"):
                importlib.import_module(f"mrt_verl.hooks.{module}")
            check_run(config, of_machine=True)
            while self._locks:
                self._locks.pop().release()
            self._locks.extend(lock_run(MRTSettings.from_config(config.mrt), config))
        except Exception as error:
            # Hydra turns an exception of a callback into a warning and runs on; SystemExit gets through.
            raise SystemExit(_lines(str(error).splitlines() or [repr(error)])) from error


def _lines(problems: Iterable[str]) -> str:
    return "\n".join(f"reward_model=mrt: {line}" for line in problems)


for plugin in (VerlConfigSource, MRTSearchPath):
    Plugins.instance().register(plugin)
