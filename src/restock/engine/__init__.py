"""The machinery under the contexts: rules, flows, streams, databases. It knows nothing of purchasing."""
