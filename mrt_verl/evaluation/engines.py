"""Engines with the interface of verl's `server_manager.generate`, outside a training run.

The rollouts of this package work on verl's servers, on a vLLM engine of this process and on an
OpenAI-compatible endpoint alike. Many coroutines may call `generate` at once; the engine batches them.
"""

import os
import uuid
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, Self

from mrt_verl.evaluation.model_files import check_names
from mrt_verl.platforms import is_on_cpu
from mrt_verl.processes import Guard, descendants, kill_all, without
from mrt_verl.rollout import Engine

KEPT_WORDS = {"stop": "completed", "length": "completed", "abort": "aborted"}
"""The engine's finish reason in verl's words."""
CPU_DEFAULTS = {
    "dtype": "float32",
    "enforce_eager": True,
    "block_size": 16,
    "max_num_seqs": 256,
    "distributed_executor_backend": "vllm.v1.executor.uniproc_executor.UniProcExecutor",
}
"""Engine settings for a machine without a GPU, see `cpu/conf/hardware/cpu.yaml` for the reasons."""


@dataclass(slots=True)
class TokenOutput:
    """The part of verl's TokenOutput that this project reads."""

    token_ids: list[int]
    """Generated tokens, an end-of-sequence token included."""
    log_probs: list[float] | None = None
    """Of each generated token, at the sampling temperature and truncation; None unless asked for by `logprobs`."""
    stop_reason: str | None = None
    num_preempted: int | None = None
    extra_fields: dict[str, Any] = field(default_factory=dict)
    """`num_cached_tokens`: prompt tokens served from the prefix cache, where the engine tells."""


def vllm_params(sampling_params: dict[str, Any]) -> Any:
    """vLLM's SamplingParams of a request of this package, in which `logprobs` is a bool as in verl."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    values = dict(sampling_params)
    values["logprobs"] = 0 if values.pop("logprobs", False) else None
    return SamplingParams(**values, output_kind=RequestOutputKind.FINAL_ONLY)


def read_output(result: Any) -> TokenOutput:
    """The first completion of vLLM's RequestOutput."""
    output: Any = result.outputs[0]
    log_probs = None
    if output.logprobs is not None:
        log_probs = [row[token].logprob for row, token in zip(output.logprobs, output.token_ids, strict=True)]
    extra_fields: dict[str, Any] = {"num_cached_tokens": result.num_cached_tokens or 0}
    prompt_logprobs: Any = result.prompt_logprobs
    if prompt_logprobs is not None:  # as verl hands them on, see provers.scoring
        rows = [[next(iter(row.values())).logprob] for row in prompt_logprobs[1:]]
        extra_fields["prompt_logprobs"] = [*rows, [0.0]]
    return TokenOutput(
        token_ids=list(output.token_ids),
        log_probs=log_probs,
        stop_reason=KEPT_WORDS.get(output.finish_reason or "", output.finish_reason),
        extra_fields=extra_fields,
    )


def require_accelerator() -> None:
    """Raises ValueError where vLLM sees none: it would end in a page of errors, or run on GPU settings."""
    from vllm.platforms import current_platform

    if current_platform.is_cpu() or current_platform.is_unspecified():
        raise ValueError(
            "vLLM finds no GPU here, and VERL_PLATFORM is not cpu; allowed: a machine with one, or the same command "
            "with VERL_PLATFORM=cpu before it"
        )


class ClosableEngine(Engine, Protocol):
    """An engine of this package, which ends its processes or connections."""

    async def close(self) -> None: ...


class VLLMEngine:
    """vLLM in this process's children, with prefix caching."""

    def __init__(self, model: str, *, seed: int = 0, **engine_args: Any) -> None:
        """Start the engine, which takes from seconds to minutes.

        Args:
            model: path or hub name.
            seed: of the engine's sampling. Tokens still depend on which requests are batched together.
            engine_args: vLLM's, such as `max_model_len`, `tensor_parallel_size`, `dtype`.

        Raises:
            ValueError: there is nothing but a CPU, and `VERL_PLATFORM` does not say that one is meant; or vLLM refuses
                an argument.
        """
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")  # before vLLM is imported
        if is_on_cpu():
            import mrt_verl.cpu  # noqa: F401 - sets threads and memory for small machines

            os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a warning about memory nodes at every start
            engine_args = {**CPU_DEFAULTS, **engine_args}
        else:
            require_accelerator()
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        check_names(engine_args, (one.name for one in fields(AsyncEngineArgs)))
        arguments = AsyncEngineArgs(
            model=model,
            seed=seed,
            enable_prefix_caching=True,
            logprobs_mode="processed_logprobs",
            use_tqdm_on_load=False,
            disable_log_stats=True,
            **engine_args,
        )
        # vLLM's own processes outlive this one where it is killed
        self._guard = Guard()
        before = descendants(os.getpid())
        try:
            self._engine = AsyncLLM.from_engine_args(arguments)
        except BaseException as error:
            self._guard.call_off()
            kill_all(without(descendants(os.getpid()), before))
            if isinstance(error, ValueError):  # of an argument: vLLM tells in several lines
                raise ValueError(f"vLLM: {' '.join(str(error).split())}") from error
            raise
        self._started = without(descendants(os.getpid()), before)
        self._guard.only(self._started)
        self.max_model_len: int = self._engine.model_config.max_model_len

    async def generate(self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> TokenOutput:
        """Sample one continuation.

        Args:
            request_id: of the trace; calls of one trace may share it.
            prompt_ids: token ids.
            sampling_params: vLLM's, and `logprobs: bool` as in verl; not changed. `max_tokens` is cut to the context.

        Raises:
            ValueError: the prompt fills the context.
        """
        from vllm import TokensPrompt

        room = self.max_model_len - len(prompt_ids)
        if room < 1:
            raise ValueError(
                f"prompt of {len(prompt_ids)} tokens; allowed: less than the context of {self.max_model_len}"
            )
        params = vllm_params({**sampling_params, "max_tokens": min(sampling_params.get("max_tokens", room), room)})
        prompt = TokensPrompt(prompt_token_ids=list(prompt_ids))
        # vLLM wants an id per call; the trace's id in front keeps its log readable
        async for result in self._engine.generate(prompt, params, request_id=f"{request_id}-{uuid.uuid4().hex[:12]}"):
            last = result
        return read_output(last)

    async def close(self) -> None:
        """End the engine's processes."""
        self._engine.shutdown(timeout=10)
        kill_all(self._started)
        self._guard.call_off()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()


class EndpointEngine:
    """An OpenAI-compatible server, through /v1/completions with token-id prompts.

    vLLM's server returns the generated token ids. From a server that does not, the text is tokenised here, which may
    cut it differently from how it was sampled; log-probs are then left out.
    """

    def __init__(
        self, base_url: str, model: str, tokenizer: Any, *, api_key: str | None = None, max_retries: int = 4
    ) -> None:
        """Make the client; nothing is sent yet.

        Args:
            base_url: with the version, as in http://host:8000/v1.
            model: the name under which the server serves the model.
            tokenizer: the model's.
            api_key: None takes OPENAI_API_KEY, or a placeholder without it.
            max_retries: attempts after a failed connection, a time-out or an overloaded server.
        """
        from openai import AsyncOpenAI

        key = api_key or os.environ.get("OPENAI_API_KEY", "unused")
        self._client = AsyncOpenAI(base_url=base_url, api_key=key, max_retries=max_retries, timeout=None)
        self._model = model
        self._tokenizer = tokenizer

    async def generate(self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> TokenOutput:
        """Sample one continuation; arguments as for VLLMEngine, the context's end is the server's to check.

        Raises:
            openai.APIError: the server refused the request or could not be reached.
        """
        values = dict(sampling_params)
        with_log_probs = values.pop("logprobs", False)
        if with_log_probs:
            values["logprobs"] = 0
        body = {**values, "prompt": list(prompt_ids), "return_token_ids": True, "skip_special_tokens": False}
        # everything goes through extra_body: the client's own arguments know only OpenAI's parameters
        answer = await self._client.completions.create(model=self._model, prompt="", extra_body=body)
        choice = answer.choices[0]
        token_ids = (choice.model_extra or {}).get("token_ids")
        log_probs = choice.logprobs.token_logprobs if with_log_probs and choice.logprobs else None
        if token_ids is None:
            token_ids, log_probs = self._tokenise(choice.text, choice.finish_reason), None
        details = answer.usage.prompt_tokens_details if answer.usage else None
        return TokenOutput(
            token_ids=list(token_ids),
            log_probs=log_probs,
            stop_reason=KEPT_WORDS.get(choice.finish_reason, choice.finish_reason),
            extra_fields={"num_cached_tokens": (details.cached_tokens or 0) if details else 0},
        )

    def _tokenise(self, text: str, finish_reason: str) -> list[int]:
        token_ids = self._tokenizer.encode(text, add_special_tokens=False)
        eos = self._tokenizer.eos_token_id
        if finish_reason == "stop" and eos is not None and token_ids[-1:] != [eos]:
            token_ids.append(eos)
        return token_ids

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()
