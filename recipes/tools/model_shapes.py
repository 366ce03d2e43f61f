"""Shapes of the recipes' models, as far as memory depends on them: recipes/tools/dry_run.py."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shape:
    """What a model's memory depends on."""

    layers: int
    hidden: int
    intermediate: int
    kv_width: int
    """Key-value heads x head size."""
    query_width: int
    """Attention heads x head size."""
    vocabulary: int
    tied: bool

    @property
    def parameters(self) -> int:
        """Of a Llama or Qwen: attention, gated MLP and embeddings; norms and biases are left out."""
        attention = self.hidden * (2 * self.query_width + 2 * self.kv_width)
        layer = attention + 3 * self.hidden * self.intermediate
        return self.layers * layer + (1 if self.tied else 2) * self.vocabulary * self.hidden

    @property
    def linear_sides(self) -> int:
        """Rows plus columns of a layer's seven linear maps: what LoRA's rank is multiplied by."""
        attention = 4 * self.hidden + 2 * (self.query_width + self.kv_width)
        return attention + 3 * (self.hidden + self.intermediate)


SHAPES = {
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": Shape(28, 1536, 8960, 256, 1536, 151936, False),
    "agentica-org/DeepScaleR-1.5B-Preview": Shape(28, 1536, 8960, 256, 1536, 151936, False),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": Shape(28, 3584, 18944, 512, 3584, 152064, False),
    "Qwen/Qwen3-4B": Shape(36, 2560, 9728, 1024, 4096, 151936, True),
    "outputs/backtrack_llama_3b/model": Shape(28, 3072, 8192, 1024, 3072, 128256, True),
    "outputs/backtrack_llama_3b/warm_start": Shape(28, 3072, 8192, 1024, 3072, 128256, True),
}
"""From the models' published config.json."""


def read_shape(path: str) -> Shape:
    """The shape of a model on this machine, or of one in SHAPES.

    Raises:
        SystemExit: neither.
    """
    file = Path(path) / "config.json"
    if not file.is_file():
        if path not in SHAPES:
            raise SystemExit(f"{path}: no config.json here; allowed: a model on this machine, or {', '.join(SHAPES)}")
        return SHAPES[path]
    config = json.loads(file.read_text(encoding="utf-8"))
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    return Shape(
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        kv_width=config.get("num_key_value_heads", heads) * size,
        query_width=heads * size,
        vocabulary=config["vocab_size"],
        tied=config.get("tie_word_embeddings", False),
    )
