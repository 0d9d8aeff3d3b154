"""Alerts at Discord, through a webhook of a channel."""
