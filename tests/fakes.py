"""What tests use in place of a model: a toy tokenizer, a server that writes what it is told, and a clock that jumps."""

import asyncio
import functools
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

END = "<|im_end|>"
SPECIAL = ("<|endoftext|>", "<|im_start|>", END)
TAGS = ("<think>", "</think>")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_TEXT = (
    "0 1 2 3 4 5 6 7 8 9 10 12 13 17 + = and no is so the answer final wait let me go back to step try take but up "
    "stop that had before which too small because not clear user assistant The Try Take Wait Alternatively But Hold "
    "on So Step Time I That"
)
PIECES = (*_TEXT.split(), *(" " + word for word in _TEXT.split()), "\n", "\n\n", ".\n\n", "\\boxed{", *".,:{} ")
"""Tokens of the toy tokenizer unless others are given."""


@functools.cache
def toy_tokenizer(
    pieces: tuple[str, ...] = PIECES,
    *,
    added: tuple[str, ...] = TAGS,
    opens_thinking: bool = True,
    adds_start: bool = False,
) -> PreTrainedTokenizerFast:
    """A Hugging Face tokenizer whose tokens are given: text falls into the longest of them, all else into bytes.

    Args:
        pieces: the token with id n is the n-th of them.
        added: tokens added to the vocabulary but not special, as R1's and Qwen3's thinking tags are: decoding keeps
            them. They may be among the pieces.
        opens_thinking: whether the chat template ends in the opening tag.
        adds_start: whether encoding puts a special token before the text unless told not to, as Llama's does.
    """
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokens = [piece if piece in (*added, *SPECIAL) else letters.pre_tokenize_str(piece)[0][0] for piece in pieces]
    vocabulary = dict.fromkeys([*tokens, *SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())])
    tokenizer = Tokenizer(models.BPE({token: n for n, token in enumerate(vocabulary)}, [], ignore_merges=True))
    longest_first = "|".join(map(re.escape, sorted(pieces, key=len, reverse=True)))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(longest_first), "isolated"), letters] if pieces else [letters]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL])
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in added])
    if adds_start:
        start = (SPECIAL[0], tokenizer.token_to_id(SPECIAL[0]))
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{SPECIAL[0]} $A", special_tokens=[start])
    template = CHAT_TEMPLATE.replace("{% endif %}", "<think>\n{% endif %}") if opens_thinking else CHAT_TEMPLATE
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token="<|endoftext|>", chat_template=template
    )


@dataclass(slots=True)
class Output:
    """The part of verl's TokenOutput that this project reads."""

    token_ids: list[int]
    log_probs: list[float] | None = None
    stop_reason: str | None = None
    num_preempted: int | None = None
    extra_fields: dict[str, Any] = field(default_factory=dict)


Written = str | Sequence[int] | Output
"""A text or token ids, which are cut at `max_tokens`, stops and the end of the sequence; an Output is left as it is."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call of `generate`."""

    request_id: str
    prompt_ids: tuple[int, ...]
    text: str
    """The prompt, special tokens included."""
    params: dict[str, Any]
    nth: int
    """How many equal requests came before it."""
    further: dict[str, Any] = field(default_factory=dict)
    """What it carries beside its tokens: images, a priority."""

    @property
    def key(self) -> str:
        """What it asks for: equal for equal prompts with equal parameters."""
        return digest(self.prompt_ids, sorted(self.params.items()))


class FakeServer:
    """verl's `server_manager.generate`: cuts what `write` returns where vLLM would, and adds log-probs as vLLM would.

    Log-probs depend on a token and the tokens before it alone, so that a scored prompt and a sampled answer agree.
    For training's agent loops and for the evaluation alike; what it was asked for stands in `requests`.
    """

    def __init__(
        self,
        tokenizer: Any,
        write: "Callable[[Request], Written]",
        *,
        delay: Callable[[Request], float] = lambda _: 0.0,
        log_prob: Callable[[Sequence[int], int], float] | None = None,
        cached: Callable[[Request], int] = lambda _: 0,
        extra_fields: dict[str, Any] | None = None,
    ) -> None:
        """Keep the parts.

        Args:
            write: what the model writes, see `Written`; it may raise, as an engine may. `play` makes one of a script.
            delay: seconds until then.
            log_prob: of a token after the tokens of a context; None takes one made of their hash.
            cached: prompt tokens read from the prefix cache.
            extra_fields: further ones of every output.
        """
        self.tokenizer = tokenizer
        self.write = write
        self.delay = delay
        self.log_prob = log_prob or hashed_log_prob
        self.cached = cached
        self.extra_fields = extra_fields or {}
        self.requests: list[Request] = []
        self.is_closed = False
        self._seen: Counter[str] = Counter()

    async def generate(
        self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any], **further: Any
    ) -> Output:
        """One continuation."""
        request = self._note(request_id, prompt_ids, dict(sampling_params), further)
        sampling_params.clear()  # verl's client takes settings out of the dict it is given
        await asyncio.sleep(self.delay(request))
        params, written = request.params, self.write(request)
        if isinstance(written, Output):
            return written
        ids = self.tokenizer.encode(written, add_special_tokens=False) if isinstance(written, str) else list(written)
        ids = self._cut(ids, params)
        allowed = params.get("allowed_token_ids")
        if allowed is not None:
            ids = [max(allowed, key=lambda token: self.log_prob(request.prompt_ids, token))]
        cached = 0 if params.get("skip_reading_prefix_cache") else self.cached(request)
        extra_fields = {"num_cached_tokens": cached, **self.extra_fields}
        if "prompt_logprobs" in params:
            extra_fields["prompt_logprobs"] = self._scores(request.prompt_ids, cached)
        log_probs = self._log_probs(request.prompt_ids, ids) if params.get("logprobs") else None
        if log_probs and allowed is not None:
            mass = math.fsum(math.exp(self.log_prob(request.prompt_ids, token)) for token in allowed)
            log_probs = [log_probs[0] - math.log(mass)]
        return Output(ids, log_probs, "completed", None, extra_fields)

    async def close(self) -> None:
        """Note that it was closed."""
        self.is_closed = True

    def _note(
        self, request_id: str, prompt_ids: Sequence[int], params: dict[str, Any], further: dict[str, Any]
    ) -> Request:
        text = str(self.tokenizer.decode(list(prompt_ids)))
        request = Request(request_id, tuple(prompt_ids), text, params, 0, further)
        request = replace(request, nth=self._seen[request.key])
        self._seen[request.key] += 1
        self.requests.append(request)
        return request

    def _cut(self, ids: list[int], params: dict[str, Any]) -> list[int]:
        """Up to and with the first token that ends the sequence, or completes a stop text, within `max_tokens`."""
        ends = {self.tokenizer.eos_token_id, *(params.get("stop_token_ids") or ())}
        stops = params.get("stop") or ()
        ids = ids[: params["max_tokens"]]
        for count in range(1, len(ids) + 1):
            if ids[count - 1] in ends:
                return ids[:count]
            if stops and any(stop in self.tokenizer.decode(ids[:count]) for stop in stops):
                return ids[:count]
        return ids

    def _log_probs(self, prompt_ids: Sequence[int], ids: Sequence[int]) -> list[float]:
        whole = [*prompt_ids, *ids]
        return [self.log_prob(whole[:end], whole[end]) for end in range(len(prompt_ids), len(whole))]

    def _scores(self, prompt_ids: Sequence[int], cached: int) -> list[list[float]]:
        """As verl hands them on: rows from the prompt's second token on, and a filler; undefined where cached."""
        rows = [[self.log_prob(prompt_ids[:end], prompt_ids[end])] for end in range(1, len(prompt_ids))]
        return [*([9.0] for _ in rows[:cached]), *rows[cached:], [0.0]]


def play(*script: Written | Exception) -> Callable[[Request], Written]:
    """A `write` that plays one entry after the other, whatever it is asked for; exceptions are raised."""
    entries = iter(script)

    def write(request: Request) -> Written:
        entry = next(entries)
        if isinstance(entry, Exception):
            raise entry
        return entry

    return write


class JumpingClock(asyncio.SelectorEventLoop):
    """An event loop whose time passes at once: where nothing is left to do, it is the time of the next timer.

    Which of several calls returns first then depends on their delays alone, not on the machine. Threads are run in
    place; futures that other threads or processes complete must not be awaited beside timers.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def _run_once(self) -> None:
        # those that were cancelled are never run, and must not stand in front of one that is
        timers = [timer.when() for timer in self._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        if not self._ready and timers:  # type: ignore[attr-defined]
            self._now = max(self._now, min(timers))
        super()._run_once()  # type: ignore[misc]


def run_at_once(main: Any) -> Any:
    """The result of a coroutine, on a `JumpingClock`."""
    with asyncio.Runner(loop_factory=JumpingClock) as runner:
        return runner.run(main)


def digest(*values: Any) -> str:
    """Sixteen hexadecimal digits of the values' hash."""
    return blake2b(repr(values).encode(), digest_size=8).hexdigest()


def draw(*values: Any) -> float:
    """A number in [0, 1) drawn by the hash of the values."""
    return int(digest(*values)[:13], 16) / 16**13


def hashed_log_prob(context: Sequence[int], token: int) -> float:
    """Between -1.5 and 0, by the token and the forty before it."""
    return -1.5 * draw(tuple(context[-40:]), token) ** 2
