"""Bytes in and out: archives, arrays, images, and files written whole or not at all."""
