"""`python -m mrt_verl.evaluation`: see command.py."""

from mrt_verl.evaluation.command import main

if __name__ == "__main__":
    main()
