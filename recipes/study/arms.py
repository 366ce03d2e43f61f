"""The study's arms: what each sets on top of one common experiment, and nothing else."""

COMMON = (
    "+hardware=cpu",
    "+quickstart=train",
    "algorithm.rollout_correction.bypass_mode=true",  # one update a step: the rollout's log-probs are the old ones
    "data.train_batch_size=8",
    "actor_rollout_ref.actor.ppo_mini_batch_size=8",
    "actor_rollout_ref.rollout.n=4",
    "actor_rollout_ref.actor.optim.lr_scheduler_type=cosine",
    "trainer.test_freq=25",
)
MRT = ("reward_model=mrt", "mrt.credit=progress")
LIKELIHOOD = ("mrt.prover=likelihood",)
"""J by the least noise for its tokens; fit for traces so short, from a policy that writes answers in one way."""


def _grpo(reward: str) -> tuple[str, ...]:
    return (
        "algorithm.adv_estimator=grpo",
        "~mrt",  # the quickstart's settings of MRT; these arms know nothing of it
        f"reward.custom_reward_function.path={reward}",
        "reward.custom_reward_function.name=compute_score",
        "actor_rollout_ref.rollout.calculate_log_probs=true",
        "trainer.v1.sampler.custom_sampler.path=recipes/study/sampler.py",
        "trainer.v1.sampler.custom_sampler.name=build_replay_buffer",
    )


ARMS: dict[str, tuple[str, ...]] = {
    "grpo": _grpo("recipes/tools/outcome.py"),
    "grpo_length": _grpo("recipes/study/rewards.py"),
    "mrt": (*MRT, *LIKELIHOOD),
    "mrt_sample": (*MRT, "mrt.prover=sample", "mrt.branches=4"),
    "mrt_ht": (*MRT, "mrt.prover=ht", "mrt.branches=4"),
    "mrt_regret": ("reward_model=mrt", *LIKELIHOOD, "mrt.credit=regret"),
    "mrt_prefix": ("reward_model=mrt_prefix", "mrt.prefix_mode=paper", "mrt.baseline=termination"),
}
SEEDS = {"grpo": 5, "mrt": 5}
"""Seeds of the arms that are compared first; 3 of every other."""


def seeds_of(arm: str, most: int | None) -> range:
    """Seeds 1 … of an arm, at most `most`."""
    count = SEEDS.get(arm, 3)
    return range(1, 1 + (count if most is None else min(count, most)))
