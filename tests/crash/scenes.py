"""Purpose: what a random worker would not come to: conflicts, a damaged journal, lists of kept files, each with kills."""

import os
import types


def outside_server():
    """The S3 server that fleet.py started, from the environment."""
    return types.SimpleNamespace(endpoint=os.environ["SKYDIR_TEST_S3_ENDPOINT"], key=os.environ["SKYDIR_TEST_S3_KEY"],
                                 secret=os.environ["SKYDIR_TEST_S3_SECRET"], region=os.environ["SKYDIR_TEST_S3_REGION"])


def run_all(kind, seed, tally):
    pass
