"""Which agent loop a run gets: `mrt.variant` decides, verl's registry knows one name."""

from typing import Any

from verl.experimental.agent_loop.agent_loop import register

from mrt_verl.hooks.agent_loop import MRTAgentLoop
from mrt_verl.hooks.prefix_loop import MRTPrefixAgentLoop
from mrt_verl.settings import MRTSettings

LOOPS: dict[str, type[MRTAgentLoop]] = {"online": MRTAgentLoop, "prefix": MRTPrefixAgentLoop}


@register("mrt")
@register("mrt_prefix")  # the name that 0.1 had for the prefix variant
def build_agent_loop(trainer_config: Any, **kwargs: Any) -> MRTAgentLoop:
    """The agent loop of the run's variant; verl calls it for every rollout."""
    settings = MRTSettings.from_config(trainer_config.config.mrt)
    return LOOPS[settings.variant](trainer_config=trainer_config, settings=settings, **kwargs)
