"""verl's SFT dataset for messages of which only the end is learnt.

`data.custom_cls.path=data_prep/suffix_dataset.py data.custom_cls.name=SuffixSFTDataset` in an SFT run; the column
`untrained_characters` says how much of the last message is left out of the loss.
"""

from typing import Any

from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset

COLUMN = "untrained_characters"


class SuffixSFTDataset(MultiTurnSFTDataset):
    """Takes the loss off the first characters of the last message."""

    def __getitem__(self, item: int) -> dict[str, Any]:
        """verl's item with `loss_mask` 0 for every token that starts before the suffix.

        Raises:
            ValueError: the tokens are not those of the rendered messages, so the suffix cannot be found in them.
        """
        row = super().__getitem__(item)
        count = self._untrained_tokens(item, row["input_ids"].tolist())
        row["loss_mask"][:count] = 0
        return row

    def _untrained_tokens(self, item: int, token_ids: list[int]) -> int:
        messages = self._build_messages(self.dataframe.iloc[item].to_dict())
        text = str(self.tokenizer.apply_chat_template(messages, tokenize=False, **self.apply_chat_template_kwargs))
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        shared = min(len(token_ids), len(encoded.input_ids))  # padding may follow, or the end may be cut off
        if token_ids[:shared] != encoded.input_ids[:shared]:
            raise ValueError(f"row {item}: its tokens are not those of its text; allowed: truncation=right or error")
        suffix = text.rindex(messages[-1]["content"]) + int(self.dataframe.iloc[item][COLUMN])
        return sum(start < suffix for start, _ in encoded.offset_mapping)
