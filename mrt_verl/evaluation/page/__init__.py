"""One page from any number of runs: index.html (self-contained), plots beside it (PNG and SVG), summary.json.

plots.py      accuracy and regret against tokens, episodes, progress
training.py   training curves from metrics.jsonl or tensorboard logs
examples.py   traces worth reading, episodes coloured by progress
tables.py     the summary as rows of text
sentences.py  the summary in sentences, warnings first
write.py      puts it together (page.html is the template)
"""

from mrt_verl.evaluation.page.write import write_report, write_training_page

__all__ = ["write_report", "write_training_page"]
