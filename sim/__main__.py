"""`python -m warpwise.sim` is the command `warpwise`."""

from .cli import main

main()
