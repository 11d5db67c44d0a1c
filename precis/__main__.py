"""`python -m precis`: the command line where no script is on the path."""

from precis.cli.main import main

if __name__ == "__main__":
    main()
