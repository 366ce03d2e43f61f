"""prefixes, star, backtrack and two steps of SFT; a killed run goes on where it stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from math_verify import parse, verify
from omegaconf import OmegaConf
from transformers import AutoTokenizer
from verl.utils.dataset.rl_dataset import RLHFDataset

from data_prep.traces import prefix_text, read_run
from tests.builders import ROOT
from tests.integration.runs import WARM_START, read_lines

PROBLEMS, TRACES = 32, 3
ENVIRONMENT = {**os.environ, "VERL_PLATFORM": "cpu", "OMP_NUM_THREADS": "1"}


def start(*command) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # a kill of the group takes vLLM's processes along
    )


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output[-6000:]
    return output


@pytest.fixture(scope="module")
def sampled(workspace, tmp_path_factory) -> Path:
    """A run of `prefixes` that was killed in the middle and started again."""
    out = tmp_path_factory.mktemp("prefixes")
    lines = out / "traces" / "traces.jsonl"
    command = ["-m", "data_prep", "prefixes", "--model", str(WARM_START), "--out", str(out)]
    command += ["--data", str(workspace / "data" / "train.parquet"), "--traces", str(TRACES)]
    command += ["--response-tokens", "160", "--settings", "recipes/quickstart/train.yaml", "--concurrency", "4"]
    command += [
        "--set",
        r"mrt.step_pattern='(?i).*?try (\d+)'",
        "mrt.backtrack_text='Wait, let me go back to step {step}.'",
    ]
    process = start(*command)
    while not lines.exists() or lines.read_bytes().count(b"\n") < 5:
        assert process.poll() is None, process.communicate()[0][-6000:]
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = lines.read_bytes()
    assert kept.count(b"\n") < PROBLEMS * TRACES
    assert not (out / "train.parquet").exists()
    # the worst place to be killed is inside of a line
    lines.write_bytes(kept + b'{"problem": 31, "tra')
    (out / "kept").write_bytes(kept[: kept.rindex(b"\n") + 1])
    finish(start(*command))
    return out


def test_a_killed_run_goes_on_where_it_stopped(sampled):
    lines = (sampled / "traces" / "traces.jsonl").read_bytes()
    assert lines.startswith((sampled / "kept").read_bytes())
    records = read_lines(sampled / "traces" / "traces.jsonl")
    done = [(record["problem"], record["trace"]) for record in records]
    assert sorted(done) == [(problem, trace) for problem in range(PROBLEMS) for trace in range(TRACES)]


def test_prefixes_are_what_the_model_wrote(sampled, workspace):
    tokenizer = AutoTokenizer.from_pretrained(WARM_START)
    run = read_run(sampled)
    for record in run.records:
        for number, episode in enumerate(record.episodes):
            text = prefix_text(record, number, "<think>")
            is_half = "\ufffd" in "".join(one.text for one in record.episodes[: number + 1])
            assert text is None or not is_half
            if text is None:  # a small model may write bytes that are no characters, or a control token
                assert is_half or any(token in record.response for token in ("<|im_start|>", "<|im_end|>", "<think>"))
                continue
            assert record.response.startswith(text)
            assert text.endswith(episode.text)
            assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text
    table = pd.read_parquet(sampled / "train.parquet")
    source = pd.read_parquet(workspace / "data" / "train.parquet")
    assert table[list(source.columns)].equals(source)
    config = OmegaConf.create({"max_prompt_length": 128, "cache_dir": str(sampled)})
    read = RLHFDataset([str(sampled / "train.parquet")], tokenizer, config)
    prefixes = [read[row]["prefix"] for row in range(len(read))]
    assert prefixes == [prefix if isinstance(prefix, str) else None for prefix in table.prefix]
    chosen = table[table.prefix.notna()]
    assert len(chosen) > PROBLEMS // 4
    for problem, row in chosen.iterrows():
        boundaries = {
            (prefix_text(record, number, "<think>"), episode.j, number)
            for record in run.records
            if record.problem == problem
            for number, episode in enumerate(record.episodes[:-1])
        }
        assert (row.prefix, row.prefix_j, row.prefix_episode) in boundaries


def test_backtrack_set(sampled, tmp_path):
    """Every attempt of the search counts as a step here; paths are other attempts and sampled continuations."""
    command = ["-m", "data_prep", "backtrack", "--traces", str(sampled), "--out", str(tmp_path)]
    finish(start(*command, "--continuations", "2", "--response-tokens", "96"))
    records = {(record.problem, record.trace): record for record in read_run(sampled).records}
    failed = [record for record in records.values() if record.own.verdict == "wrong"]
    continuations = read_lines(tmp_path / "continuations" / "traces.jsonl")
    assert len(continuations) > len(failed)
    rows = pd.read_parquet(tmp_path / "train.parquet").to_dict("records")
    assert rows
    for row in rows:
        record, content = records[row["problem"], row["trace"]], row["messages"][-1]["content"]
        untrained, learnt = content[: row["untrained_characters"]], content[row["untrained_characters"] :]
        assert record.own.verdict == "wrong" and untrained.rstrip().endswith(record.episodes[-1].text.strip())
        assert learnt.startswith(f"Wait, let me go back to step {row['step']}.\n\n")
        assert verify(parse(learnt[learnt.index("</think>") :]), parse(f"\\boxed{{{record.reference}}}"))


def test_star_set_trains(sampled, tmp_path):
    finish(start("-m", "data_prep", "star", "--traces", str(sampled), "--out", str(tmp_path / "star")))
    manifest = json.loads((tmp_path / "star" / "manifest.json").read_text())
    rows = manifest["files"]["train.parquet"]["rows"]
    assert rows >= 4
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=1", "-m", "verl.trainer.sft_trainer"]
    command += [f"data.train_files={tmp_path}/star/train.parquet", "data.train_batch_size=4", "data.num_workers=0"]
    command += ["engine.strategy=fsdp2", "optim.lr=1e-4", "checkpoint.save_contents=[model,optimizer,extra,hf_model]"]
    command += [f"model.path={WARM_START}", "model.use_remove_padding=False"]
    command += ["+model.override_config.attn_implementation=sdpa", "engine.use_torch_compile=False"]
    command += ["+engine.mixed_precision={param_dtype:fp32,reduce_dtype:fp32,buffer_dtype:fp32}"]
    command += ["trainer.device=cpu", "trainer.total_training_steps=2", "trainer.logger=[console]"]
    command += ["trainer.save_freq=2", f"trainer.default_local_dir={tmp_path}/checkpoints"]
    output = finish(start(*command))
    losses = [float(part.split(":")[1]) for part in output.split() if part.startswith("train/loss:")]
    assert len(losses) == 2
    assert all(0 < loss < 10 for loss in losses)
    saved = AutoTokenizer.from_pretrained(tmp_path / "checkpoints" / "global_step_2" / "huggingface")
    assert len(saved) == len(AutoTokenizer.from_pretrained(WARM_START))
