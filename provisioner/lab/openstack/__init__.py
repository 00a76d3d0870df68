"""The lab's OpenStack: the upstream services, with guests and networks of the lab's own."""
