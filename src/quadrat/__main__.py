"""``python -m quadrat``: the command line."""

from quadrat.cli import main

if __name__ == "__main__":
    main()
