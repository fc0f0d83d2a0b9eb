"""The pure core: facts and chain views in, due actions out. No I/O, clock, randomness or logging."""
