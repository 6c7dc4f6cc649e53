"""Purchase orders: one per need, event-sourced, from creation over approval and dispatch to receipt."""
