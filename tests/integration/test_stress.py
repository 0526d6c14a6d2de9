"""A short run of stress.py: six programs in one bucket, listings and syncs beside them."""

import pytest

import stress

pytestmark = pytest.mark.options(**{k.replace("-", "_"): v for k, v in stress.OPTIONS.items()})


@pytest.mark.stores("local", "s3")
def test_six_programs_listings_and_syncs_leave_each_other_alone(mount):
    assert stress.run(mount, seed=4400, seconds=0, operations=400) == 1
