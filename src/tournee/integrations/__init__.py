"""The outside, one package a vendor: its words come in, our ports go out. They know nothing of each other."""
