"""OpenRLHF as a host: all that imports it, and what its rollout actor asks of a user's agent.

    agent.py      the file for `--train.agent_func_path`; the only one that imports OpenRLHF
    executor.py   one call per rollout → the group it belongs to, and what a run is refused for
    group.py      the rollouts of one prompt: sampled, graded, paid
    scalar.py     a group's outcomes and progress → one number per rollout
    reward_range.py   how large that number can be
    response.py   a rollout as OpenRLHF's dict: action ranges, reward, extra logs
    engine.py     OpenRLHF's vLLM actor as a rollout's engine
    room.py       what a prompt leaves of the context to a response and a forced answer after it
    window.py     errors, warnings and trace files, for an engine that is not told where a step ends
    config.py     MRT_CONFIG: the `mrt.*` keys in a YAML file, and what this host cannot do
    command_line.py   OpenRLHF's own options against the settings
    molt.py       molt-rl: several rows a rollout, each episode paid by itself; molt_agent.py is the file it loads
    arrivals.py   calls that come one by one, as molt's do, become groups
    __main__.py   `python -m mrt_verl.openrlhf CONFIG [words]`: checks a run, prints the agent's path

Sampling, provers, grading, deadlines, J and progress are the package's own, as under verl (docs/openrlhf.md).
"""
