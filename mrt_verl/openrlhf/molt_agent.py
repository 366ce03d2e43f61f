"""`--train.agent_path` of molt-rl takes this file; MRT_CONFIG names the settings (config.py)."""

from molt.agents.base import Runner, Trajectory

from mrt_verl.openrlhf.molt import MoltRunner


class AgentRunner(MoltRunner, Runner):
    """The name that molt looks for."""

    trajectory_class = Trajectory
