"""A transformers Llama's forward pass on a cache of keys and values that is written in place."""

from typing import Any

import torch
import torch.nn.functional as F

Cache = list[tuple[torch.Tensor, torch.Tensor]]
"""Per layer keys and values, each (rows, heads, slots, head_dim)."""


class Weights:
    """Of a model; they stay the model's own."""

    def __init__(self, model: Any) -> None:
        config = model.config
        self.core, self.eps = model.model, config.rms_norm_eps
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.width = config.hidden_size // self.heads
        self.output = model.lm_head.weight
        positions = torch.arange(config.max_position_embeddings)
        cos, sin = self.core.rotary_emb(torch.zeros(1, 1, 1), positions[None])
        self.cos, self.sin = cos[0], sin[0]

    def empty(self, rows: int, slots: int) -> Cache:
        shape = (rows, self.kv_heads, slots, self.width)
        return [(torch.zeros(shape), torch.zeros(shape)) for _ in self.core.layers]

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, cache: Cache, slot: int, visible: torch.Tensor
    ) -> torch.Tensor:
        """Final hidden states (rows, tokens, hidden) of tokens that are written into the cache from `slot` on.

        Args:
            ids, positions: (rows, tokens).
            visible: (rows, 1, tokens or 1, slot + tokens) bool, the slots that each token attends to.
        """
        rows, tokens = ids.shape
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
        x = self.core.embed_tokens(ids)
        for layer, (keys, values) in zip(self.core.layers, cache, strict=True):
            h = self._norm(x, layer.input_layernorm)
            attention = layer.self_attn
            q = self._split(attention.q_proj(h), self.heads)
            k = self._split(attention.k_proj(h), self.kv_heads)
            keys[:, :, slot : slot + tokens] = k * cos + _half_turned(k) * sin
            values[:, :, slot : slot + tokens] = self._split(attention.v_proj(h), self.kv_heads)
            seen = F.scaled_dot_product_attention(
                q * cos + _half_turned(q) * sin,
                keys[:, :, : slot + tokens],
                values[:, :, : slot + tokens],
                attn_mask=visible,
                enable_gqa=self.heads != self.kv_heads,
            )
            x = x + attention.o_proj(seen.transpose(1, 2).reshape(rows, tokens, -1))
            h = self._norm(x, layer.post_attention_layernorm)
            x = x + layer.mlp.down_proj(F.silu(layer.mlp.gate_proj(h)) * layer.mlp.up_proj(h))
        return self._norm(x, self.core.norm)

    def _norm(self, x: torch.Tensor, module: Any) -> torch.Tensor:
        return F.rms_norm(x, (x.shape[-1],), module.weight, self.eps)

    def _split(self, x: torch.Tensor, heads: int) -> torch.Tensor:
        return x.view(*x.shape[:2], heads, self.width).transpose(1, 2)


def _half_turned(x: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, dim=-1)
    return torch.cat((-b, a), dim=-1)
