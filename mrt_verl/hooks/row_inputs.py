"""What a row hands on beside its text: images and priority, to each of its requests and to verl's output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from verl.experimental.agent_loop.agent_loop import AgentLoopBase

from mrt_verl.media import KINDS, count_media

SERVED = ("image",)


@dataclass(frozen=True, slots=True)
class RowInputs:
    """The inputs of one row."""

    images: list[Any] | None = None
    request: dict[str, Any] = field(default_factory=dict)
    """Further arguments of verl's `generate`, for the trace and all that branches from it."""
    output: dict[str, Any] = field(default_factory=dict)
    """Further fields of verl's output, from which the trainer computes the images' features; the same fields for all
    rows of a run."""


async def read_inputs(loop: AgentLoopBase, messages: Sequence[dict[str, Any]], row: Mapping[str, Any]) -> RowInputs:
    """The inputs of a row, as verl's own single turn reads them.

    Raises:
        ValueError: the prompt holds what cannot be rolled out; a hole in its place would train another task.
    """
    request: dict[str, Any] = {}
    if priority := int(row.get("priority") or 0):
        request["priority"] = priority
    asked = count_media(messages)
    if loop.processor is None:
        if asked:
            raise ValueError(
                f"a prompt holds {'s and '.join(asked)}s, and actor_rollout_ref.model.path has no processor for them; "
                "allowed: a vision model, or rows of text"
            )
        return RowInputs(request=request)
    found = {key: value for key, value in (await loop.process_multi_modal_info(list(messages))).items() if value}
    images = _served(asked, found)
    loop._assert_mm_supported(bool(found))
    how = loop._get_mm_processor_kwargs()
    if images:
        request["image_data"] = images
        if how:
            request["mm_processor_kwargs"] = how
    return RowInputs(images, request, {"multi_modal_data": found, "mm_processor_kwargs": how})


def _served(asked: Mapping[str, int], found: Mapping[str, Any]) -> list[Any] | None:
    """The images among what verl found in a prompt that asks for so many of each kind."""
    for kind in KINDS:
        if kind not in SERVED and (asked[kind] or found.get(f"{kind}s")):
            raise ValueError(f"a prompt holds {kind}s; allowed: text and images, MRT rolls out no {kind}s")
    images = found.get("images")
    if asked["image"] != len(images or ()):
        raise ValueError(
            f"a prompt holds {asked['image']} images, of which verl's dataset reads {len(images or ())}; "
            'allowed: parts {"type": "image", "image": …}'
        )
    return images
