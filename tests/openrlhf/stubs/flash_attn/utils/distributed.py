"""As flash_attn.bert_padding."""

from flash_attn.bert_padding import index_first_axis as all_gather

__all__ = ["all_gather"]
