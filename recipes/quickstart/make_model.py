"""Makes the quickstart's tokenizer and its model: a small Llama, warm-started on demonstrations of the search task.

The demonstrations find the pair more often than chance would (without that the model never learns to answer with a pair
it found), and they have faults on purpose: traces repeat pairs, go on after a find, stop early and miss. That is what
reinforcement learning finds to do.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from data_prep.search_task import ANSWER_TEXT, STOP_TEXT, Demonstration, TraceStyle, demonstrate

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""How Llama 3 and Qwen cut a text before merging: marks with each other and with the line breaks after them, so that
the braces of a box are parts of larger tokens. Unlike theirs a number stays whole, with the space before it: digits
apart would make every sum a matter of several tokens."""
Stages = Sequence[tuple[int, TraceStyle]]
"""Steps and style of the demonstrations. After 1,500 steps a third of the attempts is no pair of the problem, and
whether thinking pays is luck: one such model succeeded in 9 % of its traces and learned nothing in 16 updates; one of
3,000 learned nothing of GRPO in 50 updates of 32 rollouts."""
Demonstrate = Callable[[Any, TraceStyle, np.random.Generator], Demonstration]
"""Writes one trace of a task's problem."""
BATCH = 16
POOL = 32
"""Batches made at once from demonstrations sorted by length, which saves most of the padding."""
LEARNING_RATE = 4e-3


def make_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE of the task's words, with the thinking tags as tokens of their own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    # not special, as R1's and Qwen3's are not: decoding keeps them for verl's graders
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in ("<think>", "</think>")])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=512,
    )


def tokenizer_texts(
    problems: Sequence[Any], rng: np.random.Generator, demonstrate: Demonstrate = demonstrate
) -> list[str]:
    """What the tokenizer is made of: a demonstration of every problem, with the stop text whether it has one or not."""
    shown = [(problem.question, demonstrate(problem, TraceStyle(), rng)) for problem in problems]
    return [
        f"user\n{question}\nassistant\n{one.thinking}{STOP_TEXT}{{{one.answer}}}{one.tail}" for question, one in shown
    ]


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """About 0.55 M parameters, float32."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def encode(tokenizer: PreTrainedTokenizerFast, question: str, shown: Demonstration) -> tuple[list[int], list[int]]:
    """Token ids and labels of one demonstration; prompt and stop text are not learnt (label -100)."""
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], add_generation_prompt=True, tokenize=False
    )
    closing = "" if shown.forced else ANSWER_TEXT
    ids: list[int] = []
    labels: list[int] = []
    for text, learnt in (
        (prompt, False),
        (shown.thinking, True),
        (shown.forced, False),
        (f"{closing}{{{shown.answer}}}{shown.tail}{tokenizer.eos_token}", True),
    ):
        piece = tokenizer.encode(text, add_special_tokens=False)
        ids += piece
        labels += piece if learnt else [-100] * len(piece)
    return ids, labels


def batches(
    tokenizer: PreTrainedTokenizerFast,
    problems: Sequence[Any],
    style: TraceStyle,
    rng: np.random.Generator,
    demonstrate: Demonstrate = demonstrate,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Right-padded (BATCH, length) ids and labels, without end."""
    while True:
        pool = [problems[index] for index in rng.integers(len(problems), size=BATCH * POOL)]
        shown = [(problem.question, demonstrate(problem, style, rng)) for problem in pool]
        rows = sorted((encode(tokenizer, *one) for one in shown), key=_length)
        for index in rng.permutation(POOL):
            batch = rows[index * BATCH : (index + 1) * BATCH]
            length = _length(batch[-1])
            ids = torch.tensor([ids + [tokenizer.pad_token_id] * (length - len(ids)) for ids, _ in batch])
            labels = torch.tensor([labels + [-100] * (length - len(labels)) for _, labels in batch])
            yield ids, labels


def _length(row: tuple[list[int], list[int]]) -> int:
    return len(row[0])


def warm_start(
    directory: Path,
    problems: Sequence[Any],
    *,
    seed: int,
    stages: Stages,
    demonstrate: Demonstrate = demonstrate,
) -> None:
    """Make tokenizer and model, train the model on demonstrations of `problems`, save both to `directory`."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    tokenizer = make_tokenizer(tokenizer_texts(problems, rng, demonstrate))
    model = make_model(tokenizer)
    total = sum(steps for steps, _ in stages)
    print(f"warm start: {model.num_parameters():,} parameters, {total} steps of {BATCH} demonstrations", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=total, pct_start=0.1)
    started, step = time.perf_counter(), 0
    for steps, style in stages:
        for ids, labels in islice(batches(tokenizer, problems, style, rng, demonstrate), steps):
            loss = model(input_ids=ids, labels=labels, use_cache=False).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            if step % 100 == 0:
                seconds = time.perf_counter() - started
                print(f"  step {step:4d}/{total}  loss {loss.item():.3f}  {seconds:4.0f} s", flush=True)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
