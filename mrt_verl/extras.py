"""Which extra of this package brings a module that a command lacks: one line instead of a traceback."""

EXTRAS = {
    "data": (
        "champ_dataset",
        "datasets",
        "huggingface_hub",
        "jinja2",
        "pyarrow",
        "reasoning_gym",
        "tqdm",
        "transformers",
    ),
    "eval": (
        *("hydra", "jinja2", "matplotlib", "omegaconf", "openai", "pandas", "pyarrow", "tensorboard", "tqdm"),
        *("transformers", "yaml"),
    ),
    "vllm": ("ray", "torch", "verl", "vllm"),
}
"""Modules by the extra that brings them, as pyproject.toml lists their packages."""
OWN = ("data_prep", "mrt_verl")


def explain_missing(error: ModuleNotFoundError, *extras: str) -> str:
    """The line for a module that is not installed.

    Args:
        error: what the import raised; raised again if the module is one of this package's own.
        extras: those of the command; the first that brings the module is named, else any that does.
    """
    module = (error.name or "").partition(".")[0]
    if module in OWN or not module:
        raise error
    for extra in (*extras, *EXTRAS):
        if module in EXTRAS[extra]:
            return f'{module} is not installed; pip install "mrt-verl[{extra}]" brings it'
    return f"{module} is not installed"
