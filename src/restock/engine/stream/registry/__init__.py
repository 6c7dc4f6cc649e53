"""The schema registry: which schemas there are, by number, and how those of a subject may change.

`Registry` keeps them in the stream's database; the edge serves it in the form that clients of a Confluent registry know
(decision 0030).
"""

from restock.engine.stream.registry.conforming import Conforming
from restock.engine.stream.registry.model import (
    AVRO,
    KINDS,
    Given,
    Reference,
    RegistryRefusal,
    SchemaInvalid,
    SchemaUnknown,
    Stored,
    Version,
)
from restock.engine.stream.registry.registry import Registry
from restock.engine.stream.registry.tables import SCHEMA

__all__ = [
    "AVRO",
    "KINDS",
    "SCHEMA",
    "Conforming",
    "Given",
    "Reference",
    "Registry",
    "RegistryRefusal",
    "SchemaInvalid",
    "SchemaUnknown",
    "Stored",
    "Version",
]
