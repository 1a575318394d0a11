"""Lets `python -m app` stand for the command `backstep`."""

from app.cli import main

if __name__ == "__main__":
    main()
