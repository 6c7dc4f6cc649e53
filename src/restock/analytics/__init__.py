"""Listens to every topic and keeps live figures: revenue, customers, products, stock events, purchase orders."""
