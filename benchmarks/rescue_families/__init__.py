"""Families of dying networks, and the arms that try to rescue them."""
