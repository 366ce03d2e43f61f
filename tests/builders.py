"""Small pieces that several tests build on."""

from pathlib import Path

import yaml

import mrt_verl
from mrt_verl.settings import MRTSettings

CONF = Path(mrt_verl.__file__).parent / "conf" / "reward_model"


def default_node(**changes):
    """The `mrt:` node as shipped, with changes."""
    return {**yaml.safe_load((CONF / "mrt.yaml").read_text())["mrt"], **changes}


def default_settings(**changes):
    return MRTSettings.from_config(default_node(**changes))
