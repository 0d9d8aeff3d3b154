"""Tournée: the event and asynchronous processing system of a newsletter reader."""

__version__ = "0.1.0"
