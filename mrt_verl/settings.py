"""MRTSettings: the one validated view of the `mrt:` node of the config.

Every module reads its settings from here; a bad value is an error that says the key, the value got and what is allowed.
Symbols and reported values are those of arXiv 2503.07572; "ours" marks a choice of this project.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from mrt_verl.setting_checks import check_keys, check_values

MARKERS = (
    "Wait",
    "But wait",
    "Alternatively",
    "Is there another way",
    "But let me double-check",
    "Let me double-check",
    "But hold on",
    "Hold on",
)
ANSWER_STOPS = ("\n", "}.", "}$", "}\\)")
"""Four, the most that an OpenAI-compatible server takes."""
STOP_TEXTS = {
    "short": "\n\nMy time to think is over, so I give my answer now.\n</think>\n\nThe final answer is \\boxed",
    "explain": "\n\nMy time to think is over, so I give my answer now.\n</think>\n\nHere is the solution as far as I "
    "have it, with the final answer in \\boxed{}.\n\n",
}
"""Of the family r1."""


@dataclass(frozen=True, slots=True)
class MRTSettings:
    """Settings of one run. The defaults are those of conf/, which Hydra needs as YAML; a test compares the two."""

    variant: str = "online"
    """How the group is sampled: `online` (traces from the prompt, forced answers at every boundary) or `prefix` (some
    rollouts start from a prefix and some are forced to answer: `prefix_mode`)."""
    alpha: float = 1.0
    """Weight of the bonus against the outcome, >= 0; 1.0 in the paper's online runs, 0 is plain GRPO."""
    credit: str = "median"
    """What an episode is paid: `progress` (the paper); `median`, the progress of J's running median of three, so that a
    J which does not last pays nobody; `to_go` and `regret`, where what follows counts too (all three ours); or
    `package.module:function`."""
    gamma: float = 1.0
    """Discount per episode of credit `to_go`, in (0, 1]."""
    credit_per: str = "episode"
    """What each token of an episode carries: `episode` all of its credit (the paper); `token` its share, the credit
    times the batch's mean length of an episode over its own (ours): nothing is gained by leaving out markers."""
    bonus_norm: str = "batch"
    """`batch` scales the credit by its root mean square over all groups of the batch, never centred: the estimation
    noise of a group that learnt nothing stays small; `rms` by that of each group (both ours); `none` leaves it."""
    bonus_floor: float = 0.05
    """Least RMS the credit is divided by, in (0, 1]: pure estimation noise is not blown up to unit size (ours)."""
    prover: str = "seen"
    """How J is estimated: `sample` is the mean grade of `branches` forced answers, `ht` their Horvitz-Thompson sum
    (ours: unbiased, less noise), `seen` the probability of the distinct right ones among them (ours: still less noise,
    too low by what they leave unseen), `likelihood` the probability of the reference answer (ours: no sampling, biased
    where several spellings are right), `pooled` that of every spelling in which the group answered rightly (ours),
    `anchored` that of the reference plus the Horvitz-Thompson sum of the other forced answers (ours: unbiased at
    temperature 1, which its answers are drawn at; noise is left only where other spellings are), `anchored_seen` that
    probability plus what `seen` gives the others, or `package.module:Class` (provers.Prover)."""
    branches: int | None = None
    """Forced answers per boundary (G), >= 1; 4 in the reference code. null: the prover's own number, 1 of `seen` and
    the anchored provers, 4 of `sample` and `ht`."""
    boundary_choice: str = "even"
    """Which boundaries are branched when there are more than `max_episodes` or the budget allows: `even`, or
    `uncertain` (those between which the forced answers disagree most; one after the other)."""
    branch_token_budget: int | None = None
    """Most tokens that a trace's branches may generate, answers without thinking apart; null sets no limit."""
    episodes: str = "markers"
    """What opens an episode: `markers` (a paragraph that starts with a switch marker), `paragraphs` (each), `steps`
    (each that starts with a number), `tokens:N` (every N tokens; these three for models that never say "Wait"), or
    `package.module:Class` (a subclass of episodes.EpisodeSplitter)."""
    max_episodes: int = 6
    """Most episodes a trace is cut into, >= 1; 6 in the reference code."""
    min_episode_tokens: int = 8
    """Shorter episodes are merged with a neighbour, in tokens, >= 0 (ours)."""
    min_steps: int = 3
    """Least number of steps (paragraphs) of an episode that another may follow, >= 1; 3 in the reference analysis."""
    markers: tuple[str, ...] = MARKERS
    """Switch markers: a step of the thinking block that starts with one of them opens an episode."""
    think_open: str | None = "<think>"
    """Tag that opens the thinking block; null for a model that thinks without tags."""
    think_close: str | None = "</think>"
    """Tag that closes the thinking block; null exactly if think_open is."""
    stop_texts: Mapping[str, str] = field(
        default_factory=lambda: dict(STOP_TEXTS),
        compare=False,  # else the settings could not be hashed
    )
    """The model family's stop texts by style; `stop_text` is one of them (`mrt_family=…`, `mrt_stop=…`)."""
    stop_text: str = STOP_TEXTS["short"]
    """Text that ends the thinking in a branch and starts the forced answer; our wording, fit it to your model. It must
    end where the text has a token boundary however it goes on: in `\\boxed`, not in `\\boxed{`, because `{\\` and `{(`
    are tokens. Line breaks that it starts with are dropped where the context already ends in one."""
    reference_text: str | tuple[str, ...] | None = None
    """How the policy writes a reference answer after the stop text, its end included; `likelihood`, `pooled` and the
    anchored provers score this spelling, or each of several. null: in the stop text's box, closed. Look at forced
    answers of your model (`mrt.trace_dir`): a space more is another token."""
    branch_max_tokens: int = 32
    """Most tokens of a forced answer, >= 1."""
    branch_stop: tuple[str, ...] = ANSWER_STOPS
    """Strings that end a forced answer early: the end of its line, and what follows a box and stands in none."""
    branch_temperature: float | None = None
    """Sampling temperature of forced answers, > 0; null takes the trace's."""
    branch_timeout_s: float = 600
    """Seconds after which a forced answer counts as failed, > 0."""
    trace_timeout_s: float | None = None
    """Seconds after which a trace is given up, > 0, its time in the engine's queue and its insertions included; null
    waits for ever. A lost trace is counted (`mrt/trace_timeouts`), and its group trains on the others."""
    stall_timeout_s: float | None = 3600
    """Seconds without any rollout finishing after which a run that waits for rollouts ends, > 0; null waits for ever.
    It must be longer than a rollout takes, its grading included. A worker or an engine that died ends it at once; a
    trainer's process that is stopped is killed a minute later."""
    insertion: str | None = None
    """Who writes further episode openings into a trace: `budget_forcing`, `backtrack`, `package.module:Class`
    (insertions.InsertionPolicy), or null."""
    insert_max: int = 2
    """Most insertions of a trace, >= 0; up to 8 in the reference extrapolation."""
    insert_every: int | None = None
    """`budget_forcing`: tokens after which a trace pauses; null pauses only where it closes its thinking."""
    insert_texts: tuple[str, ...] = ("Wait", "But let me double-check", "Alternatively")
    """`budget_forcing`: what is written, in rotation."""
    insert_min_left: int = 64
    """Tokens of the response budget that must be left after an insertion, >= 1."""
    backtrack_text: str = "Wait, let me go back to step {step}.\n\nStep {step}:"
    """`backtrack`: the sentence that names the step to go back to, with {step} for its number. Sentences of the policy
    that start like it are recognised as episodes of their own."""
    step_pattern: str = r"Step (\d+)"
    """`backtrack`: regular expression at the start of a numbered step, its first group the number."""
    prefix_mode: str = "one_episode"
    """Variant prefix: `one_episode` (ours: plain rollouts, and others that write one episode from a prefix of the first
    of them and are forced to answer) or `paper` (all start from one prefix, some are forced to answer there)."""
    plain_share: float = 0.25
    """Prefix mode one_episode: share of the rollouts that are plain traces, in (0, 1); two at least."""
    prefix_source: str = "on_policy"
    """Prefix mode paper: `on_policy` (cut from a trace of the policy) or `dataset` (column `prefix`)."""
    forced_share: float = 0.5
    """Prefix mode paper: share of the rollouts forced to answer at the prefix, in (0, 1)."""
    baseline: str = "group"
    """Prefix mode paper: `group` normalises over all rollouts, `termination` takes the mean of the forced ones off."""
    val_branches: bool = False
    """Whether validation estimates J as well (`val-aux/DATA_SOURCE/mrt_regret/mean@n` and others); off, it costs what
    it costs without MRT."""
    trace_dir: str | None = None
    """Directory for JSONL files, one per step, of rollouts with their episodes, J and progress; null writes none."""
    traces_per_step: int = 8
    """How many rollouts a step logs there, >= 1."""
    seed: int | None = None
    """Seed of the requests to the engine, each with one of its own, >= 0: rollouts and forced answers differ, and a
    request that is made again with the same weights draws the same. null leaves it to the engine; under
    `rollout.full_determinism`, whose server seeds all requests alike, it is `rollout.seed`."""
    outcome: str = "math_verify"
    """Who grades answers: `math_verify`, or `compute_score` (verl's by data_source, or the run's custom function)."""
    grade_timeout_s: float = 5.0
    """Seconds after which grading one answer is given up and counted as a timeout, > 0."""
    max_error_share: float = 0.5
    """Share of a step's gradings that may fail, and of its rollouts that may be lost or ungraded, in (0, 1]; above
    it the run ends with the first error's text."""

    @classmethod
    def from_config(cls, node: Mapping[str, Any]) -> "MRTSettings":
        """Validate the `mrt:` node; keys it lacks have their defaults.

        Raises:
            ValueError: a key is unknown, or a value is not allowed.
        """
        if not isinstance(node, Mapping):
            raise ValueError(f"mrt={node}; allowed: a node of settings, which reward_model=mrt composes")
        if not isinstance(node.get("stop_texts", {}), Mapping):
            raise ValueError(
                f"mrt.stop_texts={node['stop_texts']}; allowed: a text for each style; mrt_stop=… chooses one of them, "
                "and mrt.stop_text=… is one of your own"
            )
        check_keys(node, (setting.name for setting in fields(cls)), "mrt.")
        values: dict[str, Any] = {key: tuple(value) if _is_list(value) else value for key, value in node.items()}
        return cls(**values)

    def __post_init__(self) -> None:
        check_values(self)

    @property
    def backtrack_marker(self) -> str:
        """The words a backtrack sentence starts with, before it names the step."""
        return self.backtrack_text.partition("{step}")[0].strip()


def forced_rollouts(n: int, forced_share: float) -> int:
    """Of a prompt's `n` rollouts those that the prefix variant forces to answer: one at least, and not all."""
    return min(max(round(n * forced_share), 1), n - 1)


def plain_rollouts(n: int, plain_share: float) -> int:
    """Of a prompt's `n` rollouts the plain traces of prefix mode one_episode; two of each kind if there are four."""
    return min(max(round(n * plain_share), 2), max(n - 2, 1))


def _is_list(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | Mapping)
