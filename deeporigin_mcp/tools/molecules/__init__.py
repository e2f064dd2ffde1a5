"""Molecules as they are given to tools."""
