"""`python -m recipes.study.fast`; apart, because a process that is spawned does not import a package's `__main__`."""

from recipes.study.fast.study import main

if __name__ == "__main__":
    main()
