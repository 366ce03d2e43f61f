"""The sources by name; each module tells where its data comes from and turns one of its rows into a problem."""

from data_prep.problems import Source
from data_prep.sources import (
    aime,
    aime_2024,
    aime_2025,
    amc_2023,
    champ,
    dapo,
    deepscaler,
    file,
    gsm8k,
    math,
    math500,
    minerva_math,
    numinamath,
    numinamath_cot,
    omni_math,
    reasoning_gym,
    search_task,
)

_MODULES = (
    *(numinamath, numinamath_cot, aime, deepscaler, dapo, math, gsm8k),
    *(aime_2024, aime_2025, amc_2023, math500, minerva_math, omni_math),
    *(champ, reasoning_gym, search_task, file),
)
SOURCES: dict[str, Source] = {module.SOURCE.name: module.SOURCE for module in _MODULES}
