"""Values of verl's own keys that no check could read, or that would end a run after minutes; as in wrong_runs.py."""

ROLLOUT = "actor_rollout_ref.rollout"
ACTOR = "actor_rollout_ref.actor"
FUNCTION = "reward.custom_reward_function"
BUFFER = "reward.reward_kwargs.overlong_buffer_cfg"


def line(key: str, value: str, allowed: str) -> tuple[tuple[str], str]:
    """The run that sets a key, and the line that names it; a + means that verl's config has no such key."""
    shown = "None" if value == "null" else value.strip("'")
    return (f"{key}={value}",), rf"^reward_model=mrt: {key.lstrip('+')}={shown}; allowed: {allowed}$".replace(
        ".", r"\."
    )


NUMBERS = (
    *(line("trainer.total_epochs", value, "a whole number >= 1") for value in ("0", "x", "null")),
    *(line("trainer.total_training_steps", value, "a whole number >= 1") for value in ("0", "-1", "x")),
    *(line("trainer.save_freq", value, "a whole number >= -1") for value in ("often", "null", "'5'")),
    line("trainer.test_freq", "null", "a whole number >= -1"),
    line("data.gen_batch_size", "x", "a whole number >= 1"),
    line("data.train_max_samples", "x", "a whole number >= -1"),
    line("data.dataloader_num_workers", "x", "a whole number >= 0"),
    line(f"{ACTOR}.ppo_epochs", "0", "a whole number >= 1"),
    *(line(f"{ACTOR}.ulysses_sequence_parallel_size", value, "a whole number >= 1") for value in ("0", "x")),
    line("actor_rollout_ref.model.lora_rank", "x", "a whole number >= 0"),
    *(line(f"{ROLLOUT}.top_k", value, "a whole number >= -1") for value in ("x", "2.5", "-5")),
    *(line(f"{ROLLOUT}.top_p", value, r"a number in \(0, 1\]") for value in ("0", "2", "-1", "inf", "nan")),
    line(f"{ROLLOUT}.temperature", "inf", "a number"),
    line(f"{ROLLOUT}.val_kwargs.n", "0", "a whole number >= 1"),
    line(f"{ROLLOUT}.val_kwargs.temperature", "nan", "a number >= 0"),
    *(line(f"{ACTOR}.optim.lr", value, "a number >= 0") for value in ("fast", "nan", "-1", "'1e-3'")),
    line(f"+{BUFFER}.len", "x", "a whole number >= 0"),
)
OTHERS = (
    *(line(f"{ROLLOUT}.enable_prefix_caching", value, "True or False") for value in ("'no'", "1")),
    line("trainer.resume_mode", "always", "auto, disable, resume_path"),
    *(line("trainer.default_local_dir", value, "a text") for value in ("5", "null")),
    *(line("trainer.logger", value, "a name, or a list of several") for value in ("5", "null")),
    line(f"{ACTOR}.checkpoint.load_contents", "5", "a list of names"),
    line(f"{ROLLOUT}.agent.agent_loop_config_path", "5", "a text"),
    line(f"{ROLLOUT}.agent.agent_loop_config_path", "/no/loops.yaml", "a YAML file that exists, or null"),
)
NODES = tuple(
    line(key, value, "a node of settings")
    for key, value in (
        *((key, "5") for key in ("trainer.v1", "data.custom_cls", FUNCTION, "algorithm.filter_groups")),
        *((key, "null") for key in ("data.custom_cls", FUNCTION, "algorithm.filter_groups", "ray_kwargs.ray_init")),
        *((key, "5") for key in ("actor_rollout_ref.model.lora", "algorithm.rollout_correction", f"+{BUFFER}")),
        *((key, "5") for key in (f"{ROLLOUT}.engine_kwargs.vllm", f"+{FUNCTION}.reward_kwargs")),
    )
)
PARTS = (
    *(((f"mrt.{key}=math:pi",), rf"mrt\.{key}='math:pi' is 3\.14.*; allowed: ") for key in ("credit", "insertion")),
    *(((f"mrt.episodes={name}",), rf"mrt\.episodes='{name}' is .*; allowed: ") for name in ("math:pi", "json:loads")),
    (("mrt.credit=this_is:broken",), r"mrt\.credit='this_is:broken': No module named 'this_is'; allowed"),
)
FILES = (
    (
        ("trainer.default_local_dir={tmp}/train.parquet", "trainer.save_freq=1"),
        r"default_local_dir=.*train\.parquet: .*Not a directory.*; allowed: a directory that can be written",
    ),
    (
        ("mrt.outcome=compute_score", f"{FUNCTION}.path=pkg://no_such.module"),
        r"custom_reward_function\.path=pkg://no_such\.module: no module no_such; allowed: a module",
    ),
    (
        (f"{ROLLOUT}.agent.agent_loop_config_path={{tmp}}/score.py",),
        r"score\.py: holds no list of agent loops; allowed",
    ),
    (("data.train_batch_size='${no.such}'",), r"key 'no\.such' not found"),
)
