"""Models made where they are needed: random weights of a real model's shape, and transformers' view of any model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipes.tools.model_shapes import SHAPES, Shape

WARM_START = Path(__file__).parents[2] / "recipes" / "study" / "warm_start"
"""A small trained model and its tokenizer, which stands in for that of a model with random weights."""
R1 = "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"
TINY = Shape(layers=2, hidden=64, intermediate=128, kv_width=32, query_width=64, vocabulary=2048, tied=False)
HEAD = 128
"""Head size of Qwen2; 32 in the tiny shape, the smallest that vLLM 0.24 takes on a CPU."""


def random_model(directory: Path, shape: Shape, *, context: int, device: str, dtype: str, family: str = "qwen2") -> str:
    """A model of `shape` with random weights, in `directory`; `family` is transformers' name of its architecture.

    Good for time and memory alone. verl leaves out the logits of tokens that the stand-in tokenizer does not have, the
    trainer does not: probabilities of rollout and trainer differ by that, 1/418 - 1/2048 in the tiny shape.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(WARM_START)
    head = HEAD if shape.hidden >= 1024 else 32
    config = AutoConfig.for_model(
        family,
        head_dim=head,
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.query_width // head,
        num_key_value_heads=shape.kv_width // head,
        max_position_embeddings=context,
        tie_word_embeddings=shape.tied,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config).to(getattr(torch, dtype))
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return str(directory)


def r1_shape(*, tiny: bool) -> Shape:
    """R1-Distill-Qwen-1.5B's, or a tiny one in its place."""
    return TINY if tiny else SHAPES[R1]


@dataclass
class Forward:
    """Log-probs by a float32 forward pass of transformers."""

    model: Any
    device: str

    @classmethod
    def of(cls, path: str, device: str) -> "Forward":
        import torch
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="sdpa")
        return cls(model.to(device).eval(), device)

    def rows(self, batch: Sequence[Sequence[int]], temperature: float = 1.0) -> Any:
        """(sequences, tokens, vocabulary) log-probs of the token after each; all sequences of one length."""
        import torch

        with torch.no_grad():
            logits = self.model(torch.tensor([list(ids) for ids in batch], device=self.device)).logits
        return torch.log_softmax(logits.double() / temperature, dim=-1)

    def continuation(self, prompt: Sequence[int], ids: Sequence[int], temperature: float = 1.0) -> list[float]:
        """Log-probs of `ids` after a prompt."""
        rows = self.rows([[*prompt, *ids]], temperature)[0, len(prompt) - 1 : -1]
        return [rows[place, token].item() for place, token in enumerate(ids)]
