"""`--train.agent_func_path` of OpenRLHF takes this file; MRT_CONFIG names the settings (config.py)."""

from openrlhf.utils.agent import AgentExecutorBase

from mrt_verl.openrlhf.executor import MRTExecutor


class AgentExecutor(MRTExecutor, AgentExecutorBase):
    """The name that OpenRLHF looks for."""
