"""Where the memory of a GPU goes in a recipe: recipes/tools/dry_run.py."""

from collections.abc import Iterator
from typing import Any

from recipes.tools.model_shapes import Shape

GIB = 2**30


def memory_lines(config: Any, shape: Shape, gpu_gib: float) -> Iterator[str]:
    """Where the memory of one GPU goes, in GiB."""
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    gpus = config.trainer.nnodes * config.trainer.n_gpus_per_node
    rank = config.actor_rollout_ref.model.lora_rank
    yield from state_lines(shape, gpus, rank, actor.fsdp_config.model_dtype if "fsdp_config" in actor else "fp32")
    yield from logits_lines(shape, actor.ppo_max_token_len_per_gpu, actor.get("entropy_from_logits_with_chunking"))
    width = 2 if rollout.dtype == "bfloat16" else 4
    tensor = rollout.tensor_model_parallel_size
    if rollout.dtype == "float32":  # +hardware=cpu
        yield f"vLLM        weights {width} B x {shape.parameters:,} = {width * shape.parameters / GIB:.2f} GiB"
        yield f"KV cache    VLLM_CPU_KVCACHE_SPACE; {2 * shape.layers * shape.kv_width * width:,} B a token"
        return
    share = rollout.gpu_memory_utilization * gpu_gib
    weights = width * shape.parameters / tensor / GIB
    token = 2 * shape.layers * shape.kv_width * width // tensor
    room = max(share - weights, 0) * GIB / token
    full = config.data.max_prompt_length + config.data.max_response_length
    yield (
        f"vLLM        {rollout.gpu_memory_utilization} x {gpu_gib:g} = {share:.1f}: weights {width} B x "
        f"{shape.parameters:,} / {tensor} = {weights:.1f}, KV cache {share - weights:.1f}"
    )
    yield (
        f"KV cache    2 x {shape.layers} layers x {shape.kv_width} x {width} B / {tensor} = {token:,} B a token: "
        f"{room:,.0f} tokens = {room / full:.0f} full traces of {full:,}"
    )
    yield f"            rollouts per GPU of one step: {config.data.train_batch_size * rollout.n * tensor / gpus:.0f}"


def state_lines(shape: Shape, gpus: int, lora_rank: int, dtype: str) -> Iterator[str]:
    """Parameters, gradients and Adam's states, sharded over all GPUs; with LoRA only the adapter has the latter two."""
    width = 4 if dtype in ("fp32", "float32") else 2
    trained = shape.parameters
    if lora_rank:
        sides = shape.linear_sides
        trained = shape.layers * lora_rank * sides
        yield f"LoRA        {shape.layers} layers x rank {lora_rank} x {sides:,} rows and columns = {trained:,}"
    stored = width * shape.parameters
    yield f"parameters  {width} B x {shape.parameters:,} / {gpus} GPUs = {stored / gpus / GIB:.2f} GiB"
    yield f"gradients   {width} B x {trained:,} / {gpus} = {width * trained / gpus / GIB:.2f} GiB"
    yield f"Adam        2 x {width} B x {trained:,} / {gpus} = {2 * width * trained / gpus / GIB:.2f} GiB"


def logits_lines(shape: Shape, tokens: int, chunked: bool) -> Iterator[str]:
    """The logits of the largest micro-batch, usually the peak of an update."""
    size = tokens * shape.vocabulary * 2 / GIB
    copies = "one bf16 copy and its gradient" if chunked else "a bf16 and two fp32 copies"
    total = size * (2 if chunked else 5)
    yield (
        f"logits      {tokens:,} tokens x {shape.vocabulary:,} x 2 B = {size:.1f} GiB; {copies}: about {total:.1f} GiB"
    )
    kept = tokens * shape.hidden * shape.layers * 2 / GIB
    yield f"activations {tokens:,} x {shape.hidden:,} x {shape.layers} layers x 2 B = {kept:.1f} GiB with checkpointing"
