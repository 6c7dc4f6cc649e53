"""The network engine: facts by handle that change, and rules that follow. Callers need `Network`, or `Keyed`.

`Keyed` decides one set of fields per key with the compiled row function; `Network` joins facts of several types.
"""

from restock.engine.rules.network.keyed import Change, Keyed
from restock.engine.rules.network.network import Network, decide
from restock.engine.rules.network.strata import reason_against_increments
from restock.engine.rules.network.windows import Streams

__all__ = ["Change", "Keyed", "Network", "Streams", "decide", "reason_against_increments"]
