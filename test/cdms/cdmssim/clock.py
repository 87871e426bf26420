"""The server's clock: whole seconds UTC, and a test may set it."""

import time
from email.utils import formatdate


class Clock:
    def __init__(self):
        self.reset()

    def reset(self):
        self._frozen = None
        self._offset = 0

    def now(self):
        if self._frozen is not None:
            return self._frozen
        return int(time.time()) + self._offset

    def freeze(self, seconds):
        self._frozen = seconds

    def shift(self, seconds):
        self._frozen = None
        self._offset = seconds

    def step(self, seconds):
        """A frozen clock stays frozen; a running one runs on from there."""
        if self._frozen is not None:
            self._frozen += seconds
        else:
            self._offset += seconds

    def http_date(self):
        return formatdate(self.now(), usegmt=True)
