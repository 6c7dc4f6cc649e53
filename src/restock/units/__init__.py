"""Exact conversions between the units a supplier sells in and the unit a product is stocked in."""
