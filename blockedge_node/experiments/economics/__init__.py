"""Does honesty pay? The payoffs of one court unit, and the best that every small coalition can make of it.

    payoffs     a finished unit, told as a Story → wei of everybody, as the contracts move them (§7.1)
    juries      chances of a round: who sits, how it ends (§6.5)
    coalitions  who may conspire, what each member may do, what the best of it brings (§7.3)
    gains       the table of all coalitions, and its verdict
    conditions  the incentive conditions of §7.3 and the thresholds of Fig. 6 as functions of the parameters

Sections are those of docs/protocol.md; docs/economics.md explains the model and shows its table.
"""
