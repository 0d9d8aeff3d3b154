"""Is it a newsletter? Pure rules, each with a weight and a reason that is stored and shown."""
