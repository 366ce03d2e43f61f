"""The prefix variant, under any host: what the rollouts of a prompt make of one prefix of a trace.

    group.py         what both modes are made of: the cut, the forced answer, what the rollouts share
    one_episode.py   plain rollouts, and rollouts that write one episode from a prefix of the first of them (ours)
    paper.py         all rollouts start from one prefix, some are forced to answer there (arXiv 2503.07572)

What a rollout did not sample (prefix, stop text) stands in its response with mask 0.
"""

from mrt_verl.prefix.group import Host, PrefixGroup
from mrt_verl.prefix.one_episode import OneEpisodeGroup
from mrt_verl.prefix.paper import ForcedPrefixGroup

__all__ = ["MODES", "Host", "PrefixGroup"]

MODES: dict[str, type[PrefixGroup]] = {"one_episode": OneEpisodeGroup, "paper": ForcedPrefixGroup}
"""By `mrt.prefix_mode`."""
