"""Text: Unicode, wrappers, tokens, brackets, numerals, choice letters. Pure, in linear time."""
