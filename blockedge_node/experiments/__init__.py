"""Measurements on real chains and daemons; results and their commands are in docs/benchmarks.md."""
