"""Machines behind a cloud's API: containers and virtual machines of one Debian root file system.

What is here is also used inside nova's process: only the standard library, and of ours only
``errors``, ``space``, ``qmp`` and ``pids``.
"""
