"""Precis for people: the typed client and the command line.

`from precis import Client` needs nothing else of ours than `precis.client`; the
command line may start and call everything below it.
"""
