"""The parts that settings name, checked together: prover, credit, episode splitter, insertion policy."""

from mrt_verl.episodes import SPLITTERS
from mrt_verl.insertions import load_policy
from mrt_verl.progress import load_credit
from mrt_verl.provers import prover_class
from mrt_verl.registry import resolve
from mrt_verl.settings import MRTSettings


def check_parts(settings: MRTSettings) -> None:
    """Load every part that the settings name, and let the prover say what excludes it.

    Raises:
        ValueError: a part does not exist or cannot work under these settings; names the key, the value and what is
            allowed.
    """
    prover_class(settings).check(settings)
    load_credit(settings.credit)
    resolve("episodes", settings.episodes, SPLITTERS)
    load_policy(settings)
