"""Real engines behind the ports: databases, brokers, dispatch channels."""
