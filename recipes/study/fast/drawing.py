"""From logits to tokens, as vLLM's sampling parameters say."""

from typing import Any

import torch
import torch.nn.functional as F

IMPOSSIBLE = -1e30


class Shape:
    """What the requests of a batch make of their logits: temperature, biases, allowed tokens."""

    def __init__(self, params: list[dict[str, Any]], vocabulary: int) -> None:
        self.temperature = torch.tensor([float(one.get("temperature", 1.0)) for one in params])
        for one in params:
            if one.get("top_p", 1.0) != 1.0 or one.get("top_k", -1) > 0:
                raise ValueError(f"top_p={one.get('top_p')}, top_k={one.get('top_k')}; allowed: 1.0 and -1")
        self.bias = torch.zeros(len(params), vocabulary)
        for row, one in enumerate(params):
            if allowed := one.get("allowed_token_ids"):
                self.bias[row] = IMPOSSIBLE
                self.bias[row, torch.tensor(allowed)] = 0.0
            for token, value in (one.get("logit_bias") or {}).items():
                self.bias[row, token] += value

    def select(self, rows: torch.Tensor) -> None:
        self.temperature, self.bias = self.temperature[rows], self.bias[rows]

    def draw(self, logits: torch.Tensor, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens (rows,) and their log-probs; at temperature 0 the likeliest, with its log-prob at temperature 1."""
        greedy = self.temperature == 0
        log_probs = F.log_softmax((logits + self.bias) / self.temperature.masked_fill(greedy, 1.0)[:, None], -1)
        drawn = torch.multinomial(log_probs.exp(), 1, generator=random)[:, 0]
        drawn = torch.where(greedy, log_probs.argmax(-1), drawn)
        return drawn, log_probs.gather(1, drawn[:, None])[:, 0]
