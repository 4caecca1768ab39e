"""Numbers as if by chance for the data that tests make, the same everywhere."""


class Noise:
    """A congruence: the same bytes everywhere."""

    def __init__(self, seed):
        self.state = seed

    def __call__(self, below):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % below
