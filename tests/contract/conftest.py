"""Real verl configs, composed as `main_ppo` composes them, and a tokenizer with a chat template."""

import pytest

from tests.fakes import toy_tokenizer


@pytest.fixture(scope="session")
def compose():
    """compose("reward_model=mrt", …) -> the config `python -m verl.trainer.main_ppo` would train with."""
    import verl  # noqa: F401 - loads the plugin, which joins Hydra
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module

    def build(*overrides, config_name="ppo_trainer"):
        with initialize_config_module("verl.trainer.config", version_base=None):
            return hydra_compose(config_name, overrides=list(overrides))

    return build


@pytest.fixture(scope="session")
def tokenizer():
    return toy_tokenizer()
