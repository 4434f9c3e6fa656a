"""What peer.py does with a router: each scenario is one function that raises when something is wrong.

A scenario opens the sessions it needs through its context, which says GOODBYE for all of them afterwards.
`@scenario()` enters it into SCENARIOS, in the order in which `--scenario all` runs them: that of the imports.
"""

# isort: skip_file
from . import sessions, calls, canceling, publications, payloads, authentication
from .checks import SCENARIOS

__all__ = ["SCENARIOS", "authentication", "calls", "canceling", "payloads", "publications", "sessions"]
