"""Formulas: trees read from tokens, exact normal forms, values at points, and when two of them are equal."""
