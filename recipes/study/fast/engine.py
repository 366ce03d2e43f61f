"""A small Llama in this process as an engine: what verl's server is to training on a GPU, for experiments of minutes.

Requests that are made together are one batch. A trace keeps its keys and values, so that its forced answers compute
their last tokens only. Sampling parameters are vLLM's, of which it knows those that this package sends; log-probs are
those of the distribution that was sampled from, as vLLM's `processed_logprobs`.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F

from mrt_verl.evaluation.engines import TokenOutput
from recipes.study.fast.drawing import Shape
from recipes.study.fast.llama import Cache, Weights

KEPT = 512
"""Traces whose keys and values are kept."""
ROWS = 256
"""Requests of one batch at most."""
ANSWER_TOKENS = 32
"""What may generate no more is a forced answer or a scored prompt, not a trace."""


@dataclass(slots=True)
class Request:
    """One call of `generate`, and what has come of it."""

    request_id: str
    prompt: list[int]
    params: dict[str, Any]
    future: "asyncio.Future[TokenOutput]"
    ids: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    known: int = 0
    """Tokens of the prompt whose keys and values are kept."""
    rows: list[list[float]] | None = None
    """Log-probs of the prompt's computed tokens, if asked for."""


class TorchEngine:
    """Engine over a transformers Llama; `forget` after every change of its weights."""

    def __init__(self, model: Any, tokenizer: Any, *, seed: int) -> None:
        self.weights = Weights(model)
        self.max_model_len: int = model.config.max_position_embeddings
        self.end = tokenizer.eos_token_id
        self.texts = [tokenizer.decode([token]) for token in range(model.config.vocab_size)]
        self.random = torch.Generator().manual_seed(seed)
        self._kept: OrderedDict[str, tuple[list[int], Cache]] = OrderedDict()
        self._waiting: list[Request] = []
        self._running: asyncio.Task[None] | None = None

    def forget(self) -> None:
        """Drop what was computed with other weights."""
        self._kept.clear()

    async def generate(self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> TokenOutput:
        """One continuation, as VLLMEngine's."""
        room = self.max_model_len - len(prompt_ids)
        if room < 1:
            raise ValueError(f"prompt of {len(prompt_ids)} tokens; allowed: less than {self.max_model_len}")
        params = {**sampling_params, "max_tokens": min(sampling_params.get("max_tokens", room), room)}
        request = Request(request_id, list(prompt_ids), params, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        if self._running is None:
            self._running = asyncio.create_task(self._serve())
        return await request.future

    async def _serve(self) -> None:
        while self._waiting:
            count = -1
            while count != len(self._waiting):  # whoever can ask, asks first
                count = len(self._waiting)
                for _ in range(8):
                    await asyncio.sleep(0)
            batch = self._next_batch()
            try:
                with torch.inference_mode():
                    Batch(self, batch).run()
            except Exception as error:  # whoever waits for it is told
                for one in batch:
                    one.future.set_exception(error)
                continue
            for one in batch:
                extra = {"num_cached_tokens": one.known, "prompt_logprobs": one.rows}
                log_probs = one.log_probs if one.params.get("logprobs") else None
                one.future.set_result(TokenOutput(one.ids, log_probs, "completed", None, extra))
        self._running = None

    def _next_batch(self) -> list[Request]:
        """Requests that are alike in what they compute: a long one would pad the others to its length."""
        for one in self._waiting:
            one.known = self._known(one)
        self._waiting.sort(key=lambda one: (one.params["max_tokens"] > 1, len(one.prompt) - one.known))
        first = self._waiting[0]
        longest = 2 * (len(first.prompt) - first.known) + 8
        is_generating = first.params["max_tokens"] > 1
        batch = []
        for one in self._waiting[:ROWS]:
            if (one.params["max_tokens"] > 1) != is_generating or len(one.prompt) - one.known > longest:
                break
            batch.append(one)
        del self._waiting[: len(batch)]
        return batch

    def _known(self, request: Request) -> int:
        """Tokens at the prompt's beginning whose keys and values are kept; at least one is left to compute."""
        if request.request_id not in self._kept or request.params.get("skip_reading_prefix_cache"):
            return 0
        ids, prompt = self._kept[request.request_id][0], request.prompt[:-1]
        if prompt[: len(ids)] == ids:
            return len(ids)
        return next((n for n, (a, b) in enumerate(zip(ids, prompt, strict=False)) if a != b), len(prompt))

    def cache_of(self, request: Request) -> Cache:
        """Keys and values of at least the known tokens; empty where none is known."""
        return self._kept[request.request_id][1] if request.known else []

    def keep(self, request: Request, cache: Cache) -> None:
        """What later requests of this id may begin with, the longest of its traces; forced answers are not kept."""
        ids = [*request.prompt, *request.ids[:-1]]
        old = self._kept.get(request.request_id)
        if request.params["max_tokens"] > ANSWER_TOKENS and (old is None or len(ids) > len(old[0])):
            self._kept[request.request_id] = (ids, cache)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)


class Batch:
    """Requests decoded together: [kept prefix | rest of the prompt | generated], the first two at the right."""

    def __init__(self, engine: TorchEngine, requests: list[Request]) -> None:
        self.engine, self.requests = engine, requests
        found = [engine.cache_of(one) for one in requests]
        rest = [one.prompt[one.known :] for one in requests]
        self.prefix, self.width = max(one.known for one in requests), max(map(len, rest))
        self.first = self.prefix + self.width
        longest = max(one.params["max_tokens"] for one in requests)
        self.cache = engine.weights.empty(len(requests), self.first + longest)
        self.open = torch.zeros(len(requests), self.first + longest, dtype=torch.bool)
        self.open[:, self.first :] = True
        self.ids = torch.zeros(len(requests), self.width, dtype=torch.long)
        self.positions = torch.zeros(len(requests), self.width, dtype=torch.long)
        for row, (one, ids, kept) in enumerate(zip(requests, rest, found, strict=True)):
            self.open[row, self.prefix - one.known : self.prefix] = True
            self.open[row, self.first - len(ids) : self.first] = True
            self.ids[row, self.width - len(ids) :] = torch.tensor(ids)
            self.positions[row, self.width - len(ids) :] = torch.arange(one.known, len(one.prompt))
            for (keys, values), (old_keys, old_values) in zip(self.cache, kept, strict=False):
                keys[row, :, self.prefix - one.known : self.prefix] = old_keys[:, : one.known]
                values[row, :, self.prefix - one.known : self.prefix] = old_values[:, : one.known]

    def run(self) -> None:
        """Decode all requests to their ends."""
        causal = torch.ones(self.width, self.first, dtype=torch.bool).tril(self.prefix)
        visible = causal[None, None] & self.open[:, None, None, : self.first]
        # a row of padding attends to nothing, which is no distribution: let it see itself
        visible |= torch.eye(self.width, self.first, dtype=torch.bool).roll(self.prefix, 1)
        weights = self.engine.weights
        hidden = weights.forward(self.ids, self.positions, self.cache, self.prefix, visible)
        self._score(hidden)
        self.shape = Shape([one.params for one in self.requests], weights.output.shape[0])
        live, hidden, step = list(range(len(self.requests))), hidden[:, -1], 0
        positions = torch.tensor([len(one.prompt) for one in self.requests])
        while True:
            drawn, log_probs = self.shape.draw(hidden @ weights.output.T, self.engine.random)
            for row, token, log_prob in zip(live, drawn.tolist(), log_probs.tolist(), strict=True):
                self.requests[row].ids.append(token)
                self.requests[row].log_probs.append(log_prob)
            done = torch.tensor([self._is_done(self.requests[row]) for row in live])
            if done.any():
                for at, row in enumerate(live):
                    if done[at]:
                        self._keep(row, at, step)
                still = (~done).nonzero()[:, 0]
                live = [live[at] for at in still.tolist()]
                if not live:
                    return
                self.cache = [(keys[still], values[still]) for keys, values in self.cache]
                self.open, drawn, positions = self.open[still], drawn[still], positions[still]
                self.shape.select(still)
            seen = self.open[:, None, None, : self.first + step + 1]
            ids, at = drawn[:, None], positions[:, None]
            hidden = weights.forward(ids, at, self.cache, self.first + step, seen)[:, 0]
            positions, step = positions + 1, step + 1

    def _score(self, hidden: torch.Tensor) -> None:
        """verl's rows of a scored prompt: one per computed token but the first of the prompt, and a filler."""
        for row, one in enumerate(self.requests):
            if one.params.get("prompt_logprobs") is None:
                continue
            count = len(one.prompt) - one.known - 1
            logits = hidden[row, self.width - count - 1 : self.width - 1] @ self.engine.weights.output.T
            targets = self.ids[row, self.width - count :]
            values = F.log_softmax(logits, -1).gather(1, targets[:, None])[:, 0].tolist()
            one.rows = [[value] for value in values] + [[0.0]]

    def _is_done(self, one: Request) -> bool:
        token = one.ids[-1]
        if len(one.ids) >= one.params["max_tokens"] or token == self.engine.end:
            return True
        if token in one.params.get("stop_token_ids", ()):
            return True
        stops = one.params.get("stop")
        if not stops:
            return False
        tail = "".join(self.engine.texts[id_] for id_ in one.ids[-8:])
        return any(stop in tail for stop in stops)

    def _keep(self, row: int, at: int, step: int) -> None:
        """Keep what a request computed: all of its tokens but the last one drawn."""
        if self.requests[row].params["max_tokens"] <= ANSWER_TOKENS:
            return
        slots = self.open[at, : self.first + step].nonzero()[:, 0]
        cache = [(keys[at][:, slots].clone(), values[at][:, slots].clone()) for keys, values in self.cache]
        self.engine.keep(self.requests[row], cache)
