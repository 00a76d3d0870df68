"""What the kernel lets a guest do."""

from __future__ import annotations

import pytest

from suites.claims import claim, observed_as_declared
from suites.seams import Evidence, Members, Observe, Subject
from suites.sight import Sight

RECORDED = (
    "cgroup_version",
    "user_namespaces",
    "module_loading",
    "sysctl_writable",
    "ebpf",
    "nested_virtualisation",
    "kvm_device",
    "shared_kernel",
)
USABLE = 0.8  # share of the memory that the kernel leaves over, at least
SAME_MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}


@pytest.mark.check("kern-01", needs=("machine",))
@pytest.mark.cost("shared")
def test_what_the_kernel_allows_is_recorded(
    subject: Subject, members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """What the kernel allows is recorded, and is what the platform declares and tells."""
    arches = {o.id: str(o.facts.get("arch") or "") for o in subject.description.images}
    for member in members:
        seen = sight.of(member, "kernel", evidence)
        observe("kernel-release", seen["release"], member=member.name)
        for name in RECORDED:
            fact = name.replace("_", "-")
            observed_as_declared(subject, observe, fact, seen[name], member.name)
        told = float(member.state.facts.get("memory_mib") or 0)
        memory = sight.of(member, "cpu", evidence)["memory_mib"]
        observe("memory", memory, unit="MiB", member=member.name)
        claim(
            memory >= USABLE * told,
            f"{member.name}: memory, told to be {told:g} MiB",
            expected=f"at least {USABLE * told:g} MiB",
            actual=memory,
        )
        arch = arches.get(str(member.state.facts.get("image") or ""), "")
        if arch:
            wanted = SAME_MACHINE.get(arch, arch)
            claim(
                seen["machine"] == wanted,
                f"{member.name}: architecture of an image told to be {arch}",
                expected=wanted,
                actual=seen["machine"],
            )
