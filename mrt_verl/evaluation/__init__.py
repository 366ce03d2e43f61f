"""Measures models as MRT sees them: accuracy against tokens, regret, progress per episode (arXiv 2503.07572).

engines.py        `generate`, the interface of verl's server manager, over in-process vLLM and over an endpoint
"""
