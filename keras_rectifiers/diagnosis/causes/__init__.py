"""Likely causes of dead units, from a diagnosis and its evidence alone.

Plain numpy: Keras is never imported here.
"""
