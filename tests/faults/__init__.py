"""What goes wrong from outside, tried: processes killed or stopped, full disks, hostile functions and texts.

test_*.py need neither Ray nor vLLM and run with all other tests. `bash tests/faults/run.sh` tries the rest on real
trainings and evaluations, one case after another (runner.py); results/ keeps its table.
"""
