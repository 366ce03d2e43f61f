"""Everything of this package that imports verl (but for cpu/, which a machine without a GPU adds).

| hook of verl | file | what we do there |
|---|---|---|
| entry-point group `verl.plugins` | ../register.py | join each registry below right after verl has imported it |
| Hydra's config sources, search path and callbacks | hydra_plugin.py | `reward_model=mrt` composes; start the checks |
| callback `on_run_start` | checks/, check_command.py | refuse before Ray starts what cannot train with MRT |
| the command line | command_line.py | tell a wrong name before Hydra advises to add it |
| agent loop registry, name `mrt` | loops.py | the agent loop of `mrt.variant` |
| `AgentLoopBase` | agent_loop.py, prefix_loop.py | rollouts of the online and of the prefix variant |
| `process_multi_modal_info`, a row's `priority` | row_inputs.py | images of a row, for each of its requests |
| `AgentLoopOutput.as_dict` | loop_output.py | write outcome and progress into `rm_scores` |
| `rollout.agent.agent_loop_manager_class` | loop_manager.py | tell rollouts whether they validate |
| `LLMServerClient` | replica.py, engine.py | a trace and its branches on one replica; scored prompts |
| reward manager registry, name `mrt` | reward_manager.py, overlong.py | grade all answers, estimate J and progress |
| estimator registry, name `mrt` | advantage.py | GRPO on the outcome plus episode credit |
| `trainer.v1.sampler.custom_sampler` | replay_buffer.py | mrt/* metrics in verl's log |
"""
