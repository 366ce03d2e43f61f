"""Rows with images: every request of a rollout carries them, and the output hands them on to the trainer."""

import asyncio
import sys
from types import ModuleType, SimpleNamespace

import pytest

from tests import rollouts
from tests.rollouts import ANSWER, ATTEMPT, FORCED, WAIT, record

PICTURE = object()
LIMIT = {"max_pixels": 7}
PATCHES = " Hold" * 4
"""What a picture becomes in the prompt: as many tokens as it has patches."""
ASKED = [{"type": "image", "image": PICTURE}, {"type": "text", "text": "Numbers: 3, 7, 9, 4?"}]
STEPS_TO_A_WRONG_ANSWER = "Step 1: 3 and 7.\n\nStep 2: 7 and 9.\n\nStep 3: 3 and 9.</think>"


class VisionProcessor:
    """What verl asks of a Hugging Face processor, for the toy tokenizer."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.image_processor = SimpleNamespace(patch_size=14)

    def apply_chat_template(self, messages, **how):
        return self.tokenizer.apply_chat_template([{**m, "content": flat(m["content"])} for m in messages], **how)

    def __call__(self, text, images, videos, return_tensors, **how):
        (whole,) = text
        assert whole.count("<image>") == len(images or ()) and (not images or how == LIMIT)
        ids = self.tokenizer.encode(whole.replace("<image>", PATCHES), add_special_tokens=False)
        return {"input_ids": [ids]}


def flat(content):
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return "".join("<image>" if part["type"] == "image" else part.get("text", "") for part in parts)


@pytest.fixture
def reader(monkeypatch):
    """The package that verl's dataset reads images with."""

    def process_vision_info(messages, image_patch_size, return_video_metadata):
        assert image_patch_size == 14 and return_video_metadata
        parts = [part for message in messages for part in message["content"]]
        found = [[part[kind] for part in parts if part.get("type") == kind] or None for kind in ("image", "video")]
        return tuple(found)

    module = ModuleType("qwen_vl_utils")
    module.process_vision_info = process_vision_info
    monkeypatch.setitem(sys.modules, "qwen_vl_utils", module)


@pytest.fixture
def group(compose, tokenizer, reader):
    """group(*overrides, write=…, content=…) -> (outputs of two sessions, or what they raised; server)"""

    def run(*overrides, write=ATTEMPT + WAIT + ANSWER, content=ASKED, has_processor=True, **how):
        from mrt_verl.hooks.loops import LOOPS

        own = ("actor_rollout_ref.rollout.n=2", "+data.mm_processor_kwargs.max_pixels=7")
        chosen = (
            overrides if overrides and overrides[0].startswith("reward_model=") else ("reward_model=mrt", *overrides)
        )
        config = compose(chosen[0], *own, *rollouts.OVERRIDES, *chosen[1:])
        return rollouts.roll_out(
            LOOPS[config.mrt.variant],
            config,
            tokenizer,
            rollouts.author(write, lambda _: FORCED),
            sessions=2,
            processor=VisionProcessor(tokenizer) if has_processor else None,
            prompt=[{"role": "user", "content": content}],
            **{"reward_model": {"ground_truth": "9, 4"}, "global_steps": 4, **how},
        )

    return run


def backtracking(request):
    if request.text.endswith("</think>"):
        return "\n\nThe answer is \\boxed{9, 4}<|im_end|>"
    return " 9 and 4.</think>" if "go back" in request.text else STEPS_TO_A_WRONG_ANSWER


BACKTRACK = ("reward_model=mrt_backtrack", "mrt.insert_max=1", "mrt.insert_min_left=20")
FORCING = ("mrt.insertion=budget_forcing", "mrt.insert_max=1", "mrt.insert_min_left=8", "mrt.insert_every=20")
VARIANTS = {
    "sample": ((), {}),
    "ht": (("mrt.prover=ht",), {}),
    "likelihood": (("mrt.prover=likelihood",), {}),
    "anchored": (("mrt.prover=anchored",), {}),
    "uncertain": (("mrt.boundary_choice=uncertain",), {}),
    "budget forcing": (FORCING, {}),
    "backtrack": (BACKTRACK, {"write": backtracking, "reward_model": {"ground_truth": "none says this"}}),
    "prefix": (("reward_model=mrt_prefix", "mrt.prefix_mode=paper"), {}),
    "one episode": (("reward_model=mrt_prefix",), {}),
    "prefix of the data": (
        ("reward_model=mrt_prefix", "mrt.prefix_mode=paper", "mrt.prefix_source=dataset"),
        {"prefix": ATTEMPT},
    ),
    "no prefix": (("reward_model=mrt_prefix", "mrt.prefix_mode=paper"), {"write": ANSWER}),
    "validation": ((), {"mrt_validate": True}),
    "branched validation": (("mrt.val_branches=True",), {"mrt_validate": True}),
    "lost": (("mrt.trace_timeout_s=30",), {"is_hanging": lambda request: not rollouts.is_forced(request)}),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_request_carries_the_image_and_so_does_the_output(group, tokenizer, name):
    overrides, how = VARIANTS[name]
    outputs, server = group(*overrides, **how)
    # more than one for each of the two rollouts wherever J is asked for
    assert len(server.requests) > 2 or name in ("validation", "prefix of the data")
    for request in server.requests:
        assert request.further == {"image_data": [PICTURE], "mm_processor_kwargs": LIMIT}
        assert PATCHES in request.text
    for output in outputs:
        assert (output.multi_modal_data, output.mm_processor_kwargs) == ({"images": [PICTURE]}, LIMIT)
        assert PATCHES in tokenizer.decode(output.prompt_ids)
        assert {"multi_modal_data", "mm_processor_kwargs"} <= output.as_dict().keys()
    assert (record(outputs[0])["kind"] == "lost") == (name == "lost")


def test_a_row_of_text_sends_none_and_has_the_same_fields(group):
    """A batch of verl's holds rows with images and rows without: they must agree in their fields."""
    (with_image, _), _ = group()
    outputs, server = group(content="Numbers: 3, 7, 9, 4?")
    assert all(request.further == {} for request in server.requests)
    assert [output.multi_modal_data for output in outputs] == [{}, {}]
    assert with_image.as_dict().keys() == outputs[0].as_dict().keys()


def test_the_rows_of_a_text_model_are_what_they_were(group):
    outputs, server = group(content="Numbers: 3, 7, 9, 4?", has_processor=False)
    assert all(request.further == {} for request in server.requests)
    assert not {"multi_modal_data", "mm_processor_kwargs"} & outputs[0].as_dict().keys()


@pytest.mark.parametrize(
    ("content", "has_processor", "message"),
    [
        (ASKED, False, "a prompt holds images, and actor_rollout_ref.model.path has no processor"),
        ([{"type": "video", "video": PICTURE}], True, "a prompt holds videos; allowed: text and images"),
        ([*ASKED, {"type": "audio", "audio": PICTURE}], True, "a prompt holds audios; allowed: text and images"),
        ([{"type": "audio_url", "audio_url": "x"}], True, "a prompt holds audios; allowed: text and images"),
        # verl's dataset does not read it, the chat template may write a placeholder: text with a hole
        ([{"type": "image_url", "image_url": {"url": "x"}}], True, "1 images, of which verl's dataset reads 0"),
    ],
)
def test_what_cannot_be_rolled_out_is_one_error(group, content, has_processor, message):
    outputs, server = group(content=content, has_processor=has_processor)
    assert not server.requests
    for error in outputs:
        assert isinstance(error, ValueError) and message in str(error) and "\n" not in str(error)


def test_parts_that_a_parquet_file_filled_with_nulls_are_text(group):
    """Arrow writes every key of a struct in every row."""
    outputs, _ = group(content=[{"type": "text", "text": "Numbers: 3, 7?", "image": None, "video": None}])
    assert [output.multi_modal_data for output in outputs] == [{}, {}]


@pytest.mark.parametrize("name", ["sample", "prefix"])
def test_the_rows_priority_goes_with_every_request(group, name):
    _, server = group(*VARIANTS[name][0], priority=3)
    assert all(request.further["priority"] == 3 for request in server.requests)


def test_scored_prompts_and_a_pinned_replica_take_the_image(compose):
    """Through verl's own client, down to the server's method."""
    from verl.workers.rollout.llm_server import FullyAsyncLLMServerClient, LLMServerClient

    from mrt_verl.hooks.engine import VerlEngine
    from mrt_verl.hooks.replica import pinned
    from tests.replicas import Balancer, Server

    server = Server("a")
    config = compose("reward_model=mrt", "actor_rollout_ref.rollout.name=vllm")
    of_row = {"image_data": [PICTURE], "mm_processor_kwargs": LIMIT, "priority": 3}

    async def run(client_class, **params):
        client = client_class(config, load_balancer_handle=Balancer({"a": server}))
        async with pinned(client, "trace", [1]) as replica:
            engine = VerlEngine(client, of_row).on(replica)
            await engine.generate(request_id="trace", prompt_ids=[1], sampling_params={"max_tokens": 1, **params})

    for client_class in (LLMServerClient, FullyAsyncLLMServerClient):
        asyncio.run(run(client_class))
        asyncio.run(run(client_class, prompt_logprobs=0))
    assert len(server.generate.calls) == 4
    for call in server.generate.calls:
        assert {key: call[key] for key in of_row} == of_row
