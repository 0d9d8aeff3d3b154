"""One module for each command of `tournee`. What is heavy is imported inside the functions."""
