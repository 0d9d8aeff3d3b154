"""Logging that never makes its caller wait: a bounded queue and a thread for each place that lines go to.

Keeps: the calling thread only captures; texts are made, secrets hidden and files written by the threads. What does not
fit is dropped, counted, and told of once there is room. Knows no settings; `tournee.bootstrap.logs` wires it.
"""
