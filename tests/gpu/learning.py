"""GRPO and MRT on a pair-sum model of 30 M parameters with traces of 500 to 1,000 tokens; their curves come back.

The warm start is made here on demonstrations that try many pairs; each arm then trains as many steps as its half of the
time allows. Which arm learns faster is read from the figures: one run each decides nothing, so no check asks for it.
"""

import time
from itertools import islice
from pathlib import Path
from typing import Any

from data_prep.search_task import TraceStyle, make_problems
from recipes.study.arms import ARMS as STUDY
from tests.gpu.report import Options, Report
from tests.gpu.verl_run import Training, of_device, train, write_data

ARMS = {"grpo": STUDY["grpo"], "mrt": ("reward_model=mrt",)}
"""The study's GRPO, and MRT with its defaults."""
STYLE = TraceStyle(max_attempts=40, hit=0.02, go_on=0.97, stop_early=0.002, cut=0.2)
"""Some thirty attempts of twenty tokens."""
CURVES = ("critic/score/mean", "mrt/outcome", "mrt/regret", "response_length/mean", "actor/grad_norm")


def run(report: Report, options: Options) -> None:
    started = time.perf_counter()
    model = options.out / "model"
    if not (model / "config.json").exists():
        report.note(**warm_start(model, options, seconds=options.limit * 0.2))
    left = options.limit - (time.perf_counter() - started) - 20
    for name in ARMS:
        words = words_of(options, name, model)
        done = train(options, name, words, limit=left / len(ARMS))
        curves = {metric: [round(value, 4) for value in done.values(metric)] for metric in CURVES}
        report.note(**{f"{name}: steps": len([step for step in done.steps if step]), f"{name}: curves": curves})
        _check(report, options, name, done)


def warm_start(directory: Path, options: Options, *, seconds: float) -> dict[str, Any]:
    """Train a Llama of 30 M parameters (1 M on a CPU) on demonstrations for so long; the loss at its end."""
    import numpy as np
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from recipes.quickstart.make_model import batches, make_tokenizer, tokenizer_texts

    rng = np.random.default_rng(0)
    problems = make_problems(3)[512:]
    tokenizer = make_tokenizer(tokenizer_texts(problems, rng))
    width, layers = (64, 2) if options.tiny else (512, 9)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    model: Any = LlamaForCausalLM(config).to(options.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)
    started, steps, loss = time.perf_counter(), 0, torch.zeros(())
    for ids, labels in islice(batches(tokenizer, problems, STYLE, rng), 20 if options.tiny else None):
        with torch.autocast(options.device, dtype=torch.bfloat16, enabled=not options.tiny):
            loss = model(input_ids=ids.to(options.device), labels=labels.to(options.device), use_cache=False).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        steps += 1
        if time.perf_counter() - started > seconds:
            break
    model.float().cpu().save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return {"parameters": model.num_parameters(), "warm_start_steps": steps, "warm_start_loss": round(loss.item(), 3)}


def words_of(options: Options, arm: str, model: Path) -> list[str]:
    """The overrides of an arm: the quickstart's, with a longer response and a batch that fills a card."""
    own = ARMS[arm]
    files, out = write_data(options.out), options.out / arm
    prompts, response, steps = (4, 96, 2) if options.tiny else (64, 1024, 1000)
    words = ["--config-dir", "recipes", *of_device(options)]
    words += ["+quickstart=train", *own, f"data.train_files={files['train']}", f"data.val_files={files['test']}"]
    words += [f"actor_rollout_ref.model.path={model}", f"data.train_batch_size={prompts}"]
    words += [f"actor_rollout_ref.actor.ppo_mini_batch_size={prompts}", f"data.max_response_length={response}"]
    words += ["trainer.val_before_train=false", "trainer.test_freq=-1", "trainer.save_freq=-1"]
    words += [f"trainer.total_training_steps={steps}", f"trainer.default_local_dir={out}/checkpoints"]
    words += [f"mrt.trace_dir={out}/traces"] if "reward_model=mrt" in own else []
    if options.device == "cuda":
        words += ["actor_rollout_ref.rollout.gpu_memory_utilization=0.4", "actor_rollout_ref.rollout.name=vllm"]
        words += ["actor_rollout_ref.actor.ppo_max_token_len_per_gpu=65536", "reward.num_workers=8"]
        words += ["actor_rollout_ref.rollout.log_prob_max_token_len_per_gpu=131072"]
    return words


def _check(report: Report, options: Options, name: str, done: Training) -> None:
    steps = [step for step in done.steps if step]
    if options.tiny:
        report.check(f"{name}: exit code 0", done.code == 0, f"{done.code} after {done.seconds:.0f} s")
    else:  # ended at its limit, as meant
        report.check(f"{name}: it trained", len(steps) >= 5, f"{len(steps)} steps in {done.seconds:.0f} s")
    if not steps or (options.tiny and done.code):
        print(done.tail(), flush=True)
