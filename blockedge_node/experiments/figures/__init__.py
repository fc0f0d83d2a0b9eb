"""The paper's figures, measured on real contracts and daemons (docs/protocol.md §13); results in docs/experiments.md.

fig4, fig5, fig6   each makes a Record: tables, plots, and the conditions that must hold
record.py          writes a Record down: CSV, PNG, and a sentence a condition
plots.py           the only importer of matplotlib, which is an extra
numbers.py         medians, percentiles, fits
"""
