"""A causal language model whose prefix is computed once and shared by every row that continues it."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, DynamicCache
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

NAME = "shared_prefix"


class SharedPrefix:
    """The keys and values of a prefix, one (kv_heads, prefix, head_dim) pair a layer."""

    def __init__(self, cache: DynamicCache) -> None:
        self.layers = [(layer.keys[0], layer.values[0]) for layer in cache.layers]


def attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any, scaling: float, **kwargs: Any
) -> tuple[torch.Tensor, None]:
    """Attention of one new token a row to the shared prefix and to the row's own tokens; causal without a prefix.

    Args:
        query: (rows, heads, new, head_dim); `new` is 1 where there is a shared prefix.
        key, value: (rows, kv_heads, own, head_dim), the new token included.
    """
    shared: SharedPrefix | None = kwargs.get("shared")
    if shared is None:
        out = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, is_causal=query.shape[2] > 1, scale=scaling, enable_gqa=True
        )
        return out.transpose(1, 2), None
    rows, heads, _, size = query.shape
    prefix_key, prefix_value = shared.layers[module.layer_idx]
    kv_heads, prefix, _ = prefix_key.shape
    grouped = query.reshape(rows, kv_heads, heads // kv_heads, size) * scaling
    flat = grouped.transpose(0, 1).reshape(kv_heads, -1, size)
    to_prefix = (flat @ prefix_key.transpose(1, 2)).view(kv_heads, rows, -1, prefix).transpose(0, 1)
    weights = torch.cat([to_prefix, grouped @ key.transpose(2, 3)], dim=-1).softmax(-1)
    of_prefix = weights[..., :prefix].transpose(0, 1).reshape(kv_heads, -1, prefix) @ prefix_value
    out = of_prefix.view(kv_heads, rows, -1, size).transpose(0, 1) + weights[..., prefix:] @ value
    return out.reshape(rows, 1, heads, size), None


ALL_ATTENTION_FUNCTIONS.register(NAME, attend)


class Continued:
    """Rows of equal length after one prefix."""

    def __init__(self, model: "PrefixModel", prefix_ids: list[int]) -> None:
        cache = DynamicCache()
        out = model.model(torch.tensor([prefix_ids]), past_key_values=cache, logits_to_keep=1)
        self._model, self._shared, self._length = model.model, SharedPrefix(cache), len(prefix_ids)
        self.first = out.logits[:, -1].float().log_softmax(-1)
        """(1, vocabulary) log-probs of the token after the prefix."""
        self.restart()

    def restart(self) -> None:
        """Back to the prefix."""
        self._own, self._steps = DynamicCache(), 0

    def step(self, parents: list[int], tokens: list[int]) -> torch.Tensor:
        """(rows, vocabulary) log-probs after a token each; `parents` are the rows of the step before (0 at first)."""
        if self._steps:
            self._own.batch_select_indices(torch.tensor(parents))
        position = torch.full((len(tokens), 1), self._length + self._steps)
        out = self._model(
            torch.tensor(tokens)[:, None], past_key_values=self._own, position_ids=position, shared=self._shared
        )
        self._steps += 1
        return out.logits[:, -1].float().log_softmax(-1)


class PrefixModel:
    """The model of a directory on one thread."""

    def __init__(self, path: Path, dtype: torch.dtype = torch.float32) -> None:
        torch.set_num_threads(1)
        self.model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, attn_implementation=NAME).eval()

    def after(self, prefix_ids: list[int]) -> Continued:
        """The prefix, computed."""
        return Continued(self, prefix_ids)
