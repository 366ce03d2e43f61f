"""Meta Reinforcement Fine-Tuning (MRT, arXiv 2503.07572) as a plugin for verl.

Where what happens, in the order of the data:

    register.py        verl's plugin entry point: which of our modules joins which of verl's
    hydra_plugin.py    makes `reward_model=mrt` compose; run_checks.py: refuses a bad run before Ray starts
    settings.py        MRTSettings, the validated view of the `mrt:` node (conf/reward_model/*.yaml)
    agent_loop.py      one rollout: sample a trace (trace.py), split it (episodes.py, token_text.py), branch forced
                       answers at its boundaries (branching.py, prover.py) on the trace's own replica (replica.py);
                       agent_loop_output.py hands it to verl
    prefix_loop.py     the rollouts of a prompt from one shared prefix; insertions.py: text written into a trace
    rollout_record.py  what a rollout hands on beside the tokens verl knows
    reward_manager.py  grades all answers (answer_grading.py, grading/); judgement.py turns grades into J and progress
                       (progress.py)
    reward_layout.py   outcome and progress inside verl's token-level rewards
    advantage.py       the estimator "mrt": GRPO's outcome advantage plus scaled episode credit
    metrics.py         mrt/* training metrics through verl's logger
    cpu/               what a machine without a GPU needs on top; loaded only if VERL_PLATFORM=cpu
"""

__version__ = "0.1.0"
