"""`python -m coord`: the same as the command `coord`."""

from coord.cli.main import main

if __name__ == "__main__":
    main()
