"""One page from any number of runs: index.html (self-contained), PNG plots beside it, summary.json.

plots.py      accuracy and regret against tokens, episodes, progress
training.py   training curves from metrics.jsonl or tensorboard logs
examples.py   traces worth reading, episodes coloured by progress
tables.py     the summary as rows of text
write.py      puts it together (page.html is the template)
"""

from mrt_verl.evaluation.page.write import write_report

__all__ = ["write_report"]
