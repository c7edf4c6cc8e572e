"""Two ways to run the tests that search for counterexamples: quick, the same every time; and deep.

`HYPOTHESIS_PROFILE=deep pytest tests` tries new examples, fifty times as many. Importing this
module chooses.
"""

import os

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
settings.register_profile("quick", max_examples=40, deadline=None, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile("deep", max_examples=2000, deadline=None, suppress_health_check=_SLOW)
CHOSEN = os.environ.get("HYPOTHESIS_PROFILE", "quick")
settings.load_profile(CHOSEN)
