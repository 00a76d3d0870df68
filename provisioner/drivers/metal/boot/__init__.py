"""The boot service: turns a machine that boots from the network into one that a run can log in to.

DHCP, TFTP, router advertisements and names by dnsmasq; the second stage, registration and seed over
HTTP. One process of a platform runs it at a time; the others hand it what they want booted.
"""
