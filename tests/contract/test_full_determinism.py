"""verl's `rollout.full_determinism` seeds all requests of a server alike; MRT gives each its own."""

from types import SimpleNamespace

from mrt_verl.settings import MRTSettings


def test_under_full_determinism_the_rollouts_seed_is_taken():
    from mrt_verl.hooks.agent_loop import seeded

    settings = MRTSettings()
    assert seeded(settings, SimpleNamespace(full_determinism=True, seed=42)).seed == 42
    assert seeded(settings, SimpleNamespace(full_determinism=False, seed=42)).seed is None
    assert seeded(MRTSettings(seed=3), SimpleNamespace(full_determinism=True, seed=42)).seed == 3
