"""How probable the reference answer is in each of several spellings: what the scoring provers would see."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mrt_verl.evaluation.sampling import RecordSampler
from mrt_verl.grading.comparison import as_references
from mrt_verl.inspect.allowed import is_allowed
from mrt_verl.inspect.stop_texts import Place
from mrt_verl.provers.likelihood import LikelihoodProver


async def score_references(
    sampler: RecordSampler, places: Sequence[Place], forms: Sequence[str], *, stop_text: str
) -> dict[str, float]:
    """{spelling: mean probability of the reference in it at some places}; without those that could not be scored.

    Args:
        forms: spellings with `{reference}` for the answer, as `mrt.reference_text`; what cannot be one is left out.
        stop_text: after which they are scored.
    """
    scored: dict[str, float] = {}
    for form in forms:
        changes: dict[str, Any] = {"stop_text": stop_text, "reference_text": form, "prover": "likelihood"}
        if not is_allowed(sampler.settings, **changes):
            continue  # no setting, or nothing that could be read as an answer
        settings = replace(sampler.settings, **changes)
        prover = LikelihoodProver(sampler.rollout.engine, sampler.tokenizer, settings)
        found = await asyncio.gather(
            *(
                prover.branch(
                    place.prefix_ids,
                    count=0,
                    sampling_params=sampler.plan.sampling_params,
                    request_id=f"reference-{number}",
                    references=as_references(place.problem.reference),
                )
                for number, place in enumerate(places)
            )
        )
        sums = [min(sum(one.weight or 0.0 for one in some.answers), 1.0) for some in found if some.answers]
        if sums:
            scored[form] = sum(sums) / len(sums)
    return scored
