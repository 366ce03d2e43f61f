"""Wrong runs and the line that each must end with: overrides of verl's main_ppo, and a regular expression.

All are added to a run that may start (`tests/contract/conftest.py`: `good_words`); "{tmp}" is a directory of its own,
which holds that run's model and `train.parquet`.
"""

ROLLOUT = "actor_rollout_ref.rollout"
MODEL = "actor_rollout_ref.model"

GROUPS_AND_SERVERS = (
    ((f"{ROLLOUT}.n=1",), r"rollout\.n=1; allowed: 2 or more"),
    ((f"{ROLLOUT}.n=0",), r"rollout\.n=0; allowed: a whole number >= 1"),
    ((f"{ROLLOUT}.n=many",), r"rollout\.n=many; allowed: a whole number >= 1"),
    ((f"{ROLLOUT}.n=null",), r"rollout\.n=None; allowed: a whole number >= 1"),
    ((f"{ROLLOUT}.name=???",), r"rollout\.name=\?\?\?; allowed: vllm"),
    ((f"{ROLLOUT}.name=trtllm",), r"rollout\.name=trtllm; allowed: vllm, sglang"),
    ((f"{ROLLOUT}.name=hf",), r"rollout\.name=hf; allowed: vllm, sglang"),
    (
        (f"{ROLLOUT}.name=sglang", "mrt.prover=likelihood"),
        r"mrt\.prover=likelihood with actor_rollout_ref\.rollout\.name=sglang; allowed there: sample",
    ),
    (
        (f"{ROLLOUT}.name=sglang", "mrt.prover=anchored"),
        r"mrt\.prover=anchored with actor_rollout_ref\.rollout\.name=sglang; allowed there: sample",
    ),
    (
        (f"{ROLLOUT}.name=sglang", "mrt.prover=ht"),
        r"mrt\.prover=ht with actor_rollout_ref\.rollout\.name=sglang; allowed there: sample",
    ),
    (
        (f"{ROLLOUT}.name=sglang", "mrt.prover=sample", "mrt.seed=1"),
        r"mrt\.seed=1 with actor_rollout_ref\.rollout\.name=sglang; allowed there: null",
    ),
    (
        ("mrt.prover=ht", f"{ROLLOUT}.logprobs_mode=raw_logprobs"),
        r"logprobs_mode=raw_logprobs with mrt\.prover=ht; allowed: processed_logprobs",
    ),
    (
        (f"{MODEL}.lora_rank=8", "mrt.prover=anchored"),
        r"mrt\.prover=anchored with a LoRA adapter of rank 8; allowed: sample, ht, seen, or .*lora\.merge=True",
    ),
    (
        (f"{MODEL}.lora.rank=16", "mrt.prover=likelihood"),
        r"mrt\.prover=likelihood with a LoRA adapter of rank 16; allowed: sample, ht, seen, or .*lora\.merge=True",
    ),
    ((f"{ROLLOUT}.temperature=0",), r"rollout\.temperature=0; allowed: above 0"),
    ((f"{ROLLOUT}.temperature=-1",), r"rollout\.temperature=-1; allowed: above 0"),
    ((f"{ROLLOUT}.temperature=warm",), r"rollout\.temperature=warm; allowed: a number"),
    ((f"{ROLLOUT}.temperature=nan",), r"rollout\.temperature=nan; allowed: a number"),
    ((f"{ROLLOUT}.top_k=1",), r"rollout\.top_k=1; allowed: -1, or 2 and more"),
    ((f"{ROLLOUT}.ignore_eos=True",), r"rollout\.ignore_eos=True; allowed: False\. traces would go on"),
    ((f"{ROLLOUT}.agent.num_workers=0",), r"agent\.num_workers=0; allowed: a whole number >= 1"),
)
VALUES = (
    (("mrt.branches=two",), r"mrt\.branches='two'; allowed: null or a whole number >= 1"),
    (("mrt.branches=0",), r"mrt\.branches=0; allowed: null or a whole number >= 1"),
    (("mrt.branches=2.5",), r"mrt\.branches=2\.5; allowed: null or a whole number >= 1"),
    (("mrt.branches=true",), r"mrt\.branches=True; allowed: null or a whole number >= 1"),
    (("mrt.branches=[4]",), r"mrt\.branches=\(4,\); allowed: null or a whole number >= 1"),
    (("mrt.alpha=-1",), r"mrt\.alpha=-1; allowed: a number >= 0"),
    (("mrt.alpha=nan",), r"mrt\.alpha=nan; allowed: a number >= 0"),
    (("mrt.alpha=inf",), r"mrt\.alpha=inf; allowed: a number >= 0"),
    (("mrt.alpha=1e400",), r"mrt\.alpha=inf; allowed: a number >= 0"),
    (("mrt.alpha='1.0'",), r"mrt\.alpha='1\.0'; allowed: a number >= 0"),
    (("mrt.gamma=0",), r"mrt\.gamma=0; allowed: a number in \(0, 1\]"),
    (("mrt.gamma=1.5",), r"mrt\.gamma=1\.5; allowed: a number in \(0, 1\]"),
    (("mrt.bonus_floor=0",), r"mrt\.bonus_floor=0; allowed: a number in \(0, 1\]"),
    (("mrt.forced_share=1",), r"mrt\.forced_share=1; allowed: a number in \(0, 1\)"),
    (("mrt.max_error_share=2",), r"mrt\.max_error_share=2; allowed: a number in \(0, 1\]"),
    (("mrt.branch_timeout_s=0",), r"mrt\.branch_timeout_s=0; allowed: a number of seconds > 0"),
    (("mrt.branch_timeout_s=nan",), r"mrt\.branch_timeout_s=nan; allowed: a number of seconds > 0"),
    (("mrt.trace_timeout_s=-5",), r"mrt\.trace_timeout_s=-5; allowed: null or a number of seconds > 0"),
    (("mrt.grade_timeout_s=never",), r"mrt\.grade_timeout_s='never'; allowed: a number of seconds > 0"),
    (("mrt.branch_temperature=0",), r"mrt\.branch_temperature=0; allowed: null or a number > 0"),
    (("mrt.max_episodes=0",), r"mrt\.max_episodes=0; allowed: a whole number >= 1"),
    (("mrt.min_episode_tokens=-1",), r"mrt\.min_episode_tokens=-1; allowed: a whole number >= 0"),
    (("mrt.seed=-1",), r"mrt\.seed=-1; allowed: null or a whole number >= 0"),
    (("mrt.branch_token_budget=10",), r"mrt\.branch_token_budget=10; allowed: \d+ or more"),
    (("mrt.val_branches=maybe",), r"mrt\.val_branches='maybe'; allowed: true, false"),
    (("mrt.variant=offline",), r"mrt\.variant='offline'; allowed: online, prefix"),
    (("mrt.bonus_norm=std",), r"mrt\.bonus_norm='std'; allowed: rms, batch, none"),
    (("mrt.boundary_choice=random",), r"mrt\.boundary_choice='random'; allowed: even, uncertain"),
    (("mrt.outcome=exact",), r"mrt\.outcome='exact'; allowed: math_verify, compute_score"),
    (("mrt.prover=guess",), r"mrt\.prover='guess'; allowed: sample, ht, seen, likelihood, anchored, anch"),
    (("mrt.credit=sum",), r"mrt\.credit='sum'; allowed: progress, to_go, regret, or package"),
    (("mrt.episodes=lines",), r"mrt\.episodes='lines'; allowed: markers, .*or package\.module:Name"),
    (("mrt.insertion=no.such:Policy",), r"mrt\.insertion='no\.such:Policy': No module named 'no'"),
    (("mrt.prover=json:loads",), r"mrt\.prover='json:loads'.*allowed"),
    (("mrt.markers=[]",), r"mrt\.markers=\[\]; allowed: at least one text"),
    (("mrt.markers=Wait",), r"mrt\.markers='Wait'; allowed: a list of texts"),
    (("mrt.markers=['']",), r"mrt\.markers=\(''.*; allowed: a list of texts that are not empty"),
    (("mrt.insert_texts=[]",), r"mrt\.insert_texts=\[\]; allowed: at least one text"),
    (("mrt.branch_stop=null",), r"mrt\.branch_stop=None; allowed: a list of texts"),
    (("mrt.step_pattern='Step ('",), r"mrt\.step_pattern='Step \('.*; allowed: a regular expression"),
    (("mrt.step_pattern='Step'",), r"mrt\.step_pattern='Step'; allowed: a group for the step's number"),
    (("mrt.backtrack_text='Go back'",), r"mrt\.backtrack_text='Go back'; allowed: words, then \{step\}"),
    (("+mrt.alfa=1",), r"mrt\.alfa is not a setting, did you mean mrt\.alpha\?"),
)
TEXTS = (
    (("mrt.think_close='</thought>'",), r"mrt\.think_close='</thought>' is \d+ tokens"),
    (("mrt.think_open=null",), r"mrt\.think_open=None with mrt\.think_close='</think>'; allowed: two tags, or null"),
    (("mrt.think_close=''",), r"mrt\.think_open='<think>' with mrt\.think_close=''; allowed: two tags"),
    (("mrt.stop_text=''",), r"mrt\.stop_text=''; allowed: a text that is not empty"),
    (("mrt.stop_text='So it is {'",), r"mrt\.stop_text='So it is \{' with mrt\.think_close='</think>'"),
    (
        ("mrt.prover=likelihood", "mrt_stop=explain"),
        r"mrt\.prover='likelihood' with mrt\.stop_text=.*; allowed: a stop text that ends in",
    ),
    (
        ("mrt_stop=explain", "mrt.prover=seen"),
        r"mrt\.prover='seen' with mrt\.stop_text=.*; allowed: a stop text that ends in .*Use mrt\.prover=ht",
    ),
    (
        ("mrt.prover=anchored", "mrt.reference_text='It is {reference}, or not'"),
        r"mrt\.reference_text='It is \{reference\}, or not' with mrt\.stop_text=.*; allowed: null, or a text",
    ),
    (("mrt.reference_text='seven'",), r"mrt\.reference_text='seven'; allowed: null, or a text with \{reference\}"),
    (("data.max_response_length=0",), r"data\.max_response_length=0; allowed: a whole number >= 1"),
    (
        ("mrt.insertion=budget_forcing", "data.max_response_length=64"),
        r"mrt\.insert_min_left=64 with data\.max_response_length=64",
    ),
    ((f"{ROLLOUT}.max_model_len=1000",), r"max_model_len=1000; allowed: \d+ or more.*lower data\.max_response_length"),
    ((f"{ROLLOUT}.max_model_len=big",), r"max_model_len=big; allowed: a whole number >= 1"),
)
OTHER_RUNS = (
    (("mrt.variant=prefix",), r"mrt\.prover='ht' with mrt\.variant='prefix'; allowed there: sample"),
    (
        ("mrt.variant=prefix", "mrt.prover=sample", "mrt.branch_temperature=0.7"),
        r"mrt\.branch_temperature=0\.7 with mrt\.variant=prefix; allowed: null",
    ),
    (("mrt.prover=likelihood", "mrt.outcome=compute_score"), r"mrt\.prover='likelihood' with mrt\.outcome='compute_sc"),
    (("algorithm.adv_estimator=grpo",), r"adv_estimator=grpo; allowed: mrt\. mrt\.alpha=0 is"),
    (("algorithm.adv_estimator=null",), r"adv_estimator=None; allowed: mrt"),
    (("algorithm.use_kl_in_reward=True",), r"algorithm\.use_kl_in_reward=True; .*actor\.use_kl_loss"),
    (("algorithm.use_pf_ppo=True",), r"algorithm\.use_pf_ppo=True; allowed: False"),
    (("critic.enable=True",), r"critic\.enable=True; allowed: null\. MRT's advantages need no critic"),
    (("trainer.critic_warmup=10",), r"trainer\.critic_warmup=10; allowed: 0\. there is no critic"),
    (("reward.reward_manager.name=dapo",), r"reward_manager\.name=dapo; allowed: mrt\."),
    (("reward.reward_manager.source=importlib",), r"reward_manager\.source=importlib; allowed: regis"),
    ((f"{ROLLOUT}.agent.default_agent_loop=single_turn_agent",), r"default_agent_loop=single_turn_agent; allowed: mrt"),
    ((f"{ROLLOUT}.agent.agent_loop_manager_class=mine.Manager",), r"manager_class=mine\.Manager; allowed: mrt_verl"),
    ((f"{ROLLOUT}.multi_turn.enable=True",), r"multi_turn\.enable=True; allowed: False\. .*tools"),
    ((f"{ROLLOUT}.multi_turn.tool_config_path=t.yaml",), r"tool_config_path=t\.yaml; allowed: null\. .*tools"),
    (("trainer.v1.sampler.custom_sampler.path=mine.py",), r"custom_sampler\.path=mine\.py; allowed: pkg://mrt_verl"),
    (("trainer.v1.sampler.custom_sampler.name=Mine",), r"custom_sampler\.name=Mine; allowed: build_replay_buffer"),
    (("trainer.use_v1=False",), r"trainer\.use_v1=False; allowed: True"),
    (("trainer.v1.trainer_mode=async",), r"trainer_mode=async; allowed: sync, colocate_async, separate_async"),
    (("reward.reward_model.enable=True",), r"reward_model\.enable=True; allowed: False\. .*ignored"),
    (
        ("reward.sandbox_fusion.url=http://x",),
        r"sandbox_fusion\.url=http://x with mrt\.outcome=math_verify; allowed: m",
    ),
    (("custom_reward_function.path=s.py",), r"custom_reward_function\.path=s\.py: .*allowed: reward\.custom_reward_fu"),
    (
        ("reward_model.reward_manager=dapo",),
        r"reward_model\.reward_manager=dapo: .*allowed: reward\.reward_manager\.na",
    ),
    (("algorithm.filter_groups.enable=True", "algorithm.filter_groups.metric=reward"), r"metric=reward; allowed: acc"),
    (("algorithm.filter_groups.enable=True", "algorithm.filter_groups.metric=score"), r"metric=score; allowed: acc"),
    (
        ("+reward.reward_kwargs.overlong_buffer_cfg.enable=True", "+reward.reward_kwargs.overlong_buffer_cfg.len=100"),
        r"overlong_buffer_cfg\.len=100 with reward\.reward_kwargs\.max_resp_len=None; allowed: a max_resp_len",
    ),
    (("actor_rollout_ref.actor.policy_loss.loss_mode=geo_mean",), r"loss_mode=geo_mean; allowed: vanilla, gspo"),
    (("skip.rollout_tq.enable=True",), r"skip\.rollout_tq\.enable=True; allowed: False"),
)
OF_CONFIG = (*GROUPS_AND_SERVERS, *VALUES, *TEXTS, *OTHER_RUNS)

OF_MACHINE = (
    ((f"{MODEL}.path=/no/such/model",), r"model\.path=/no/such/model; allowed: a directory with a model, or a hub's"),
    ((f"{MODEL}.path={{tmp}}/train.parquet",), r"model\.path=.*train\.parquet; allowed: a directory with a model"),
    (("data.train_files=no/such.parquet",), r"data\.train_files=no/such\.parquet; allowed: a parquet file that exists"),
    (("data.val_files=[no/such.parquet]",), r"data\.val_files=no/such\.parquet; allowed: a parquet file that exists"),
    (("data.train_files={tmp}/broken.parquet",), r"data\.train_files=.*broken\.parquet: .*; allowed: a parquet file"),
    (("data.train_files={tmp}/empty.parquet",), r"data\.train_files=.*empty\.parquet: no rows; allowed"),
    (("data.train_files={tmp}/columns.parquet",), r"data\.train_files=.*columns\.parquet: no column prompt; got a"),
    (("data.train_files={tmp}/untrue.parquet",), r"row 1 \(1 of the first 2\) has no reward_model\.ground_truth"),
    (("data.train_files={tmp}/loops.parquet",), r"column agent_name=tool_agent; allowed: mrt, or no such column"),
    (("data.train_files={tmp}/videos.parquet",), r"rows hold videos; allowed: text and images"),
    (("data.train_files=[]",), r"data\.train_files=\[\]; allowed: a parquet file"),
    (("mrt.trace_dir=/proc/nowhere",), r"mrt\.trace_dir=/proc/nowhere: .*allowed: a directory that can be written"),
    (("mrt.trace_dir={tmp}/train.parquet",), r"mrt\.trace_dir=.*train\.parquet: .*allowed: a directory that can be"),
    (
        ("mrt.outcome=compute_score", "mrt.prover=sample"),
        r"verl has no scorer for data_source=s; allowed with mrt\.outcome=compute_score",
    ),
    (
        ("mrt.outcome=compute_score", "reward.custom_reward_function.path=/no/score.py"),
        r"custom_reward_function\.path=/no/score\.py; allowed: a Python file that exists",
    ),
    (
        ("reward.custom_reward_function.path={tmp}/score.py",),
        r"custom_reward_function\.path=.*score\.py with mrt\.outcome=math_verify; allowed: mrt\.outcome",
    ),
    (
        ("mrt.outcome=compute_score", "reward.custom_reward_function.path={tmp}/score.py"),
        r"custom_reward_function\.name=compute_score; allowed: a function of .*score\.py",
    ),
    (
        ("reward_model=mrt_prefix", "mrt.prefix_source=dataset"),
        r"mrt\.prefix_source=dataset with mrt\.prefix_mode=one_episode; allowed: on_policy",
    ),
    (
        ("reward_model=mrt_prefix", f"{ROLLOUT}.n=3"),
        r"rollout\.n=3 with mrt\.prefix_mode=one_episode; allowed: 4 or more",
    ),
    (
        ("reward_model=mrt_prefix", "mrt.prefix_mode=paper", "mrt.prefix_source=dataset"),
        r"mrt\.prefix_source=dataset: .*has no column `prefix`; python -m data_prep prefixes",
    ),
    ((f"{ROLLOUT}.dtype=bfloat16",), r"VERL_PLATFORM=cpu with actor_rollout_ref\.rollout\.dtype=bfloat16"),
    (("actor_rollout_ref.actor.use_kl_loss=True",), r"actor\.use_kl_loss=True with VERL_PLATFORM=cpu; allowed: False"),
    ((f"{ROLLOUT}.agent.agent_loop_config_path={{tmp}}/loops.yaml",), r"names an agent loop mrt; allowed: other names"),
)
WORDS = (
    (("mrt.alfa=1",), r"mrt\.alfa is not a setting, did you mean mrt\.alpha\?"),
    (("mrt.prvoer=ht",), r"mrt\.prvoer is not a setting, did you mean mrt\.prover\?"),
    (("+mrt.xyzzy=1",), r"mrt\.xyzzy is not a setting; allowed: mrt\.alpha"),
    (("reward_model=mrt_online",), r"reward_model=mrt_online; allowed: mrt, mrt_backtrack, mrt_prefix"),
    (("mrt_family=qwen",), r"mrt_family=qwen; allowed: plain, qwen3, r1"),
    (("mrt_stop=long",), r"mrt_stop=long; allowed: explain, short"),
)
