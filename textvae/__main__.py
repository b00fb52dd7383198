"""`python -m textvae` is the command `textvae`."""

from textvae.cli import main

if __name__ == "__main__":
    main()
