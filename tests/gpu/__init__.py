"""Every claim on one GPU, stage by stage: `bash tests/gpu/run.sh [--limit SECONDS] [--device cpu]`.

stages.py lists them, runner.py gives each its time and writes tests/gpu/results/, stage.py is the process of one.
"""
