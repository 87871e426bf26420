#!/usr/bin/python3
"""The simulator's own tests: `selftest.py [unittest's arguments]`."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "selftests")]
sys.dont_write_bytecode = True


def load_tests(loader, _, __):
    return loader.discover(os.path.join(HERE, "selftests"), "test_*.py",
                           os.path.join(HERE, "selftests"))


if __name__ == "__main__":
    unittest.main()
