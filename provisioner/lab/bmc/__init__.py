"""The management controllers of the lab's machines: IPMI 2.0 and a small Redfish service.

A ``Controller`` is what one BMC knows and does; ``provisioner.lab.bmc.serve`` puts both protocols
on it. Everything here sits on the ``LabMachine`` seam, never on an emulator of machines.
"""
