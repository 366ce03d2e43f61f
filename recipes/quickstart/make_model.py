"""Makes the quickstart's tokenizer and its model: a small Qwen2, warm-started on demonstrations of the search task.

The warm start has two stages (the second with many finds: without it the model never learns to answer with a pair it
found). It ends where reinforcement learning has something to do: traces repeat pairs, go on after a find and miss.
"""

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from data_prep.search_task import ANSWER_TEXT, Demonstration, Problem, TraceStyle, demonstrate

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
STAGES = ((700, TraceStyle()), (400, TraceStyle(hit=0.3)))
"""Steps and style of the demonstrations."""
BATCH = 32
LEARNING_RATE = 2e-3


def make_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE of the task's words, with the thinking tags as tokens of their own."""
    tokenizer = Tokenizer(models.BPE())
    # digits apart would make every sum a matter of several tokens; GPT-2's split keeps a number together
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=512,
    )


def make_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """About 0.7 M parameters, float32."""
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)


def encode(tokenizer: PreTrainedTokenizerFast, problem: Problem, shown: Demonstration) -> tuple[list[int], list[int]]:
    """Token ids and labels of one demonstration; prompt and stop text are not learnt (label -100)."""
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": problem.question}], add_generation_prompt=True, tokenize=False
    )
    closing = "" if shown.forced else ANSWER_TEXT
    ids: list[int] = []
    labels: list[int] = []
    for text, learnt in (
        (prompt, False),
        (shown.thinking, True),
        (shown.forced, False),
        (closing + shown.answer + "}" + tokenizer.eos_token, True),
    ):
        piece = tokenizer.encode(text, add_special_tokens=False)
        ids += piece
        labels += piece if learnt else [-100] * len(piece)
    return ids, labels


def batches(
    tokenizer: PreTrainedTokenizerFast, problems: Iterator[Problem], style: TraceStyle, rng: np.random.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Right-padded (BATCH, length) ids and labels, without end."""
    while True:
        rows = [encode(tokenizer, problem, demonstrate(problem, style, rng)) for problem in islice(problems, BATCH)]
        length = max(len(ids) for ids, _ in rows)
        ids = torch.tensor([ids + [tokenizer.pad_token_id] * (length - len(ids)) for ids, _ in rows])
        labels = torch.tensor([labels + [-100] * (length - len(labels)) for _, labels in rows])
        yield ids, labels


def warm_start(directory: Path, problems: Iterator[Problem], *, seed: int) -> None:
    """Make tokenizer and model, train the model on demonstrations of `problems`, save both to `directory`."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    sample = [(problem, demonstrate(problem, TraceStyle(cut=0.5), rng)) for problem in islice(problems, 2000)]
    tokenizer = make_tokenizer(
        [
            problem.question + "\n" + shown.thinking + shown.forced + ANSWER_TEXT + shown.answer
            for problem, shown in sample
        ]
    )
    model = make_model(tokenizer)
    total = sum(steps for steps, _ in STAGES)
    print(f"warm start: {model.num_parameters():,} parameters, {total} steps of {BATCH} demonstrations", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=total, pct_start=0.1)
    started, step = time.perf_counter(), 0
    for steps, style in STAGES:
        for ids, labels in islice(batches(tokenizer, problems, style, rng), steps):
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
