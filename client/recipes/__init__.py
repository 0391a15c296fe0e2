"""Recipes: what is built from znodes, on the public ways to use them."""
