"""Trio: one file per kind of task; each thin."""
