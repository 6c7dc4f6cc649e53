"""Who sells what: price, minimum, multiple, purchase unit, lead time."""
