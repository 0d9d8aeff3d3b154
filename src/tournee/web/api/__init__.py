"""The JSON API: the same facts as the console, for programs."""
