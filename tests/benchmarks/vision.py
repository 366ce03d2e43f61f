"""Two steps of MRT on pictures in verl's real trainer on a CPU: `python -m tests.benchmarks.vision --out DIR`.

A Qwen2-VL of 0.2 M random parameters, rows with and without a picture, a reward by the answer's letters so that
something is learned. Prints what tells that the rollout and the trainer saw the same pictures: the difference of their
log-probs. Needs torchvision and qwen-vl-utils beside the CPU stack.
"""

import argparse
import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL import Image
from transformers import (
    AutoTokenizer,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
)

from data_prep.search_task import make_problems
from recipes.quickstart.prepare import rows
from tests.builders import ROOT

VISION = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
SCORE = "def score(solution_str, **_):\n    return float(sum(map(ord, solution_str)) % 2)\n"
SHOWN = ("mrt/branch_failures", "mrt/prefix_cache_hit", "actor/grad_norm", "training/rollout_probs_diff_max",
         "training/rollout_actor_probs_pearson_corr")  # fmt: skip


def make_model(directory: Path) -> None:
    """Model, tokenizer and processor; their tokens of pictures are never sampled."""
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "recipes" / "study" / "warm_start")
    tokenizer.add_special_tokens({"additional_special_tokens": list(VISION)})
    tokenizer.chat_template = CHAT_TEMPLATE
    start, end, image, video = tokenizer.convert_tokens_to_ids(list(VISION))
    size = (len(tokenizer) + 7) // 8 * 8
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]}
    text = {"vocab_size": size, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 1024,
            "rope_parameters": rope, "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id, "tie_word_embeddings": False}  # fmt: skip
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 64, "num_heads": 2, "mlp_ratio": 2, "patch_size": 14,
              "spatial_merge_size": 2, "temporal_patch_size": 2}  # fmt: skip
    model = Qwen2VLForConditionalGeneration(
        Qwen2VLConfig(text_config=text, vision_config=vision, image_token_id=image, video_token_id=video,
                      vision_start_token_id=start, vision_end_token_id=end, tie_word_embeddings=False)
    ).float()  # fmt: skip
    with torch.no_grad():
        embedding, head = model.get_input_embeddings().weight, model.lm_head.weight
        embedding *= 10
        head *= 15
        embedding[:, 0], head[:, 0] = 5.0, 0.0
        for token in (start, end, image, video, *range(len(tokenizer), size)):
            head[token], head[token, 0] = 0.0, -8.0
    pixels = {"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
    processor = Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=pixels),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=CHAT_TEMPLATE,
    )
    for part in (model, tokenizer, processor):
        part.save_pretrained(directory)


def make_data(path: Path) -> None:
    """Sixteen rows, three of four with a picture."""
    dice = random.Random(0)
    made: list[dict[str, Any]] = []
    for number, row in enumerate(rows(make_problems(seed=3)[:16], "train")):
        pictures = []
        if number % 4 != 3:
            encoded = io.BytesIO()
            Image.new("RGB", (56, 84), tuple(dice.randrange(256) for _ in range(3))).save(encoded, "PNG")
            pictures = [{"bytes": encoded.getvalue(), "path": None}]
        content = "<image>" * len(pictures) + row["prompt"][0]["content"]
        made.append({**row, "prompt": [{"role": "user", "content": content}], "images": pictures})
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(made).to_parquet(path)


def train(out: Path) -> int:
    """Two steps; prints SHOWN of each, returns the exit code."""
    metrics = out / "metrics.jsonl"
    command = [
        *(sys.executable, "-m", "verl.trainer.main_ppo", "--config-dir", "recipes", "reward_model=mrt"),
        *("+hardware=cpu", "+quickstart=train", f"actor_rollout_ref.model.path={out}/model"),
        *(f"data.{key}_files={out}/data.parquet" for key in ("train", "val")),
        *("data.train_batch_size=4", "actor_rollout_ref.actor.ppo_mini_batch_size=4", "actor_rollout_ref.rollout.n=4"),
        *("data.max_prompt_length=160", "data.max_response_length=96", "actor_rollout_ref.rollout.max_model_len=400"),
        *("actor_rollout_ref.rollout.max_num_batched_tokens=2048", "trainer.total_training_steps=2"),
        *(
            "trainer.val_before_train=False",
            "trainer.test_freq=-1",
            "trainer.save_freq=-1",
            "trainer.resume_mode=disable",
        ),
        *("mrt.outcome=compute_score", f"reward.custom_reward_function.path={out}/score.py"),
        *("reward.custom_reward_function.name=score", f"mrt.trace_dir={out}/traces"),
        *("mrt.traces_per_step=100", f"trainer.default_local_dir={out}/checkpoints"),
    ]
    environment = {**os.environ, "VERL_PLATFORM": "cpu", "VERL_FILE_LOGGER_PATH": str(metrics)}
    code = subprocess.run(command, cwd=ROOT, env=environment).returncode
    for line in metrics.read_text().splitlines() if metrics.exists() else ():
        entry = json.loads(line)
        print(entry["step"], {key: entry["data"][key] for key in SHOWN if key in entry["data"]})
    return code


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    place = parser.parse_args().out.absolute()
    make_model(place / "model")
    make_data(place / "data.parquet")
    (place / "score.py").write_text(SCORE)
    sys.exit(train(place))
