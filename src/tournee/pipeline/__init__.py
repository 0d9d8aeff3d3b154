"""What happens to a newsletter: fetched, analysed, indexed, notified."""
