"""Every mrt/* metric of a training step: what it says, its range, and from when on it is an alarm (a table, no code).

Means are over the step's rollouts unless said otherwise. docs/metrics.md is tested against it.
"""

from typing import NamedTuple


class Metric(NamedTuple):
    """What a metric says."""

    meaning: str
    range: str
    alarm: str
    """What value is a reason to look; thresholds are rules of thumb, from runs on toys."""


METRICS = {
    "mrt/outcome": Metric(
        "mean outcome of the step's rollouts that have one",
        "0 to 1 where the outcome is 0/1",
        "falling over 50 steps while mrt/progress_mean rises: it is paid for something else than success",
    ),
    "mrt/outcomes_unknown": Metric(
        "rollouts of the step whose own answer could not be graded: advantage 0, left out of their group",
        "count",
        "above 0: those rollouts train nothing; read the run's log",
    ),
    "mrt/progress_mean": Metric(
        "mean progress of a rewarded step, J after it minus J before it",
        "-1 to 1",
        "below 0 for long: thinking lowers the chance of success; 0 throughout: no episodes, or a constant J",
    ),
    "mrt/progress_std": Metric(
        "standard deviation of the same; estimation noise included",
        "0 to 1",
        "0: nothing to credit; no larger than the prover's own noise, which `mrt-inspect` tells: more branches",
    ),
    "mrt/progress_lag1": Metric(
        "autocorrelation of progress from one episode to the next: how much of a change of J is undone at once",
        "-1 to 1; -1/2 of noise alone",
        "below -0.2: J goes up and down again, by the prover's noise or by itself; `mrt.credit=median` pays what stays",
    ),
    "mrt/j_before": Metric(
        "success probability without thinking, J_{-1}",
        "0 to 1; more with weighted answers",
        "rises to j_last: the policy answers without thinking",
    ),
    "mrt/j_first": Metric(
        "J after the first episode with a known one",
        "as j_before",
        "none of its own; it lies between j_before and j_last",
    ),
    "mrt/j_last": Metric(
        "J after the last episode with a known one",
        "as j_before",
        "below j_before: thinking harms; 0.2 or more from mrt/outcome: the stop text draws other answers",
    ),
    "mrt/regret": Metric(
        "normalised regret at the response budget, as an evaluation's; forced rollouts apart",
        "0 to 1",
        "rising over 50 steps",
    ),
    "mrt/regret_of_the_paper": Metric(
        "the same as the paper draws it: from the answer without thinking on, prompt tokens counted; plain traces",
        "0 to 1",
        "as regret; it does not charge the tokens of the first answer",
    ),
    "mrt/episodes_mean": Metric(
        "episodes of a rollout, after merging and the cap",
        "0 to mrt.max_episodes",
        "falls towards 1: the policy stops writing markers; at mrt.max_episodes: episodes are merged by the cap",
    ),
    "mrt/markers_mean": Metric(
        "switch markers that open a step, before merging and the cap",
        ">= 0",
        "far above mrt/episodes_mean, more than twice: markers are written that open no episode of their own",
    ),
    "mrt/think_tokens_mean": Metric(
        "tokens of the thinking block",
        "0 to the response budget",
        "at the response budget: traces are cut off; near 0: the policy stops thinking",
    ),
    "mrt/inserted_mean": Metric(
        "tokens written for the policy in a rollout",
        ">= 0; 0 without insertions",
        "0 under mrt_backtrack: nothing is inserted",
    ),
    "mrt/branch_tokens_ratio": Metric(
        "tokens generated for branches and prefixes / sampled tokens of traces",
        ">= 0",
        "above 0.5 on long traces: `mrt.branches`, `mrt.max_episodes` or the stop text cost more than they need",
    ),
    "mrt/prefix_cache_hit": Metric(
        "share of the branches' prompt tokens served from the prefix cache",
        "0 to 1",
        "below 0.8 on traces of some thousand tokens: prefix caching is off, or the cache is too small",
    ),
    "mrt/branch_seconds_mean": Metric(
        "seconds from the end of a trace to its last forced answer",
        ">= 0",
        "as long as the trace itself: the server cannot take the branches beside the traces",
    ),
    "mrt/branch_failures": Metric(
        "branches of the step that failed or timed out, left out of their J",
        "count",
        "above 1 % of the branches of a step (rollouts x episodes x mrt.branches): J lacks them; read the run's log",
    ),
    "mrt/rollouts": Metric(
        "rollouts of the step that came: neither lost (mrt/trace_timeouts) nor failed",
        "count, up to data.train_batch_size x rollout.n",
        "below that product: the others train nothing; read the run's log",
    ),
    "mrt/trace_timeouts": Metric(
        "traces of the step that were lost: no answer within mrt.trace_timeout_s; of prefix mode one_episode, a forced "
        "answer that failed, too",
        "count",
        "above 0: those rollouts train nothing",
    ),
    "mrt/grade_seconds_mean": Metric(
        "seconds to grade all answers of a rollout",
        ">= 0",
        "above a second: slow answers; `mrt.grade_timeout_s` bounds them",
    ),
    "mrt/grade_timeouts": Metric(
        "answers of the step whose grading timed out, left out of J",
        "count",
        "above 1 % of the answers of a step, of which the run warns by itself",
    ),
    "mrt/grade_errors": Metric(
        "answers of the step whose grading failed, left out of J",
        "count",
        "above 0: read the run's log; `mrt.max_error_share` ends the run",
    ),
    "mrt/no_answer_share": Metric(
        "share of the graded answers without an answer in them",
        "0 to 1",
        "above 0.2: the stop text or mrt.branch_max_tokens does not fit the model",
    ),
    "mrt/fallback_share": Metric(
        "prefix variant: share of rollouts that found no prefix",
        "0 to 1",
        "above 0.5: few traces have a second episode to cut at",
    ),
    "mrt/prefix_tokens_mean": Metric(
        "prefix variant: tokens of the prefix of rollouts that went on",
        ">= 0",
        "near the response budget: no room to think on",
    ),
    "mrt/reference_probability": Metric(
        "provers that score the reference: its mean probability at the last boundary of rollouts that answered right",
        "0 to 1; near 0 mrt.reference_text is not how the policy writes answers; absent for other provers",
        "below 0.02 while rollouts answer right, of which the run warns by itself",
    ),
    "mrt/gradings_per_second": Metric(
        "answers graded a second while any was under way, over all workers",
        "> 0",
        "below the rollouts' answers a second: more reward workers (`reward.num_workers`)",
    ),
    "mrt/grade_cache_hits": Metric(
        "share of gradings answered by an equal one",
        "0 to 1",
        "none of its own; near 0 where the policy is unsure",
    ),
    "mrt/grade_restarts": Metric(
        "grading processes killed and replaced since the last step",
        "count",
        "above 0 in every step: answers that hang or crash the grader",
    ),
}
