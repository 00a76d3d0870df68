"""The network of the lab's OpenStack, enforced by the kernel in namespaces of the lab.

It runs inside neutron's process, in the lab's own network namespace, and takes the place of the
agents: ``driver`` (ML2) and ``routers`` (L3) tell ``worker`` that something changed; that reads the
whole ``world`` from neutron's database and has ``fabric`` make the kernel fit. Nothing is kept that
cannot be read again, so neutron may be killed at any time.

=================================  ===============================================================
namespace                          holds
=================================  ===============================================================
``interop-LAB--net-NETWORK``       bridge ``br0``; a ``tap…`` per guest's port and an ``r-…`` per
                                   router's; its dnsmasq; security groups of all its ports
``interop-LAB--router-ROUTER``     ``qr-…`` and ``qg-…``, translation of addresses
``interop-LAB--vm-SERVER``         the guest's end of its ports (``ports.plug``)
``interop-LAB``                    the outside: an ``os-…`` per external network with its gateway's
                                   address, and no way from there to anywhere
=================================  ===============================================================

What neutron's configuration must say::

    [DEFAULT] core_plugin = ml2, dns_domain = novalocal., dhcp_agent_notification = false
    service_plugins = provisioner.lab.openstack.net.routers.LabRouters
    [ml2] mechanism_drivers = interop   (its entry point: …openstack.net.driver:LabDriver)
    extension_drivers = port_security,dns
    type_drivers = flat,vxlan, project_network_types = vxlan   (frames of 1450 bytes fit)

and nova's: ``dhcp_domain = novalocal``, ``[neutron] service_metadata_proxy = true``,
``metadata_proxy_shared_secret`` = the place's secret "metadata". Security groups need the kernel's
``br_netfilter``. IPv6 is not served: a secured port neither sends nor gets it.
"""
