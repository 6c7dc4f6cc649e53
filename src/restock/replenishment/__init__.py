"""Runs the flow: fetch in parallel, decide, act. Plans the whole catalogue, and turns proposals into purchase orders."""
