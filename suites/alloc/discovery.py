"""Networks, sizes and images are found and chosen from data alone."""

from __future__ import annotations

import pytest

from provisioner.resources import ImageSpec, Kind, MachineSpec, NetworkSpec, Resource, Support
from suites.claims import claim, same
from suites.seams import Evidence, NotApplicable, Observe, Subject


@pytest.mark.check("alloc-02")
@pytest.mark.cost("api")
def test_networks_sizes_and_images_are_listed(
    subject: Subject, observe: Observe, not_applicable: NotApplicable
) -> None:
    """Networks, sizes and images can be listed by an ordinary user, and each says its source."""
    told = subject.driver.describe()
    if told.kinds.get(Kind.MACHINE) is Support.ABSENT:
        not_applicable(f"no machine: {told.absent.get(Kind.MACHINE, 'there are none')}")

    for name, offers in (("images", told.images), ("sizes", told.sizes)):
        observe(name, [offer.name for offer in offers], source="api")
        claim(offers, f"{name} are listed", expected="at least one", actual="none")
        silent = [offer.name for offer in offers if not offer.source]
        same(f"each of the {name} says where it was learnt", expected=[], actual=silent)
        twice = sorted({o.id for o in offers if [x.id for x in offers].count(o.id) > 1})
        same(f"the ids of {name} are unique", expected=[], actual=twice)
    network = told.kinds.get(Kind.NETWORK, Support.ABSENT)
    observe("network-support", str(network), source="api")
    claim(network is not Support.ABSENT, "there is a network", expected="one", actual="absent")


@pytest.mark.check("alloc-03", needs=("machine",))
@pytest.mark.cost("api")
def test_network_size_and_image_are_chosen_from_data(
    subject: Subject, observe: Observe, evidence: Evidence
) -> None:
    """A selector without any site literal chooses the same size and image each time."""
    selectors = [MachineSpec(), MachineSpec(image=_any_image(subject), memory_mib=256)]

    for spec in selectors:
        wish = Resource(kind=Kind.MACHINE, name="choice", spec=spec)
        first, second = subject.driver.plan(wish), subject.driver.plan(wish)
        evidence("planned", f"{first.body!r}"[:2000])
        observe("chosen", list(first.notes), source="api")
        same("the same selector chooses the same", expected=first.body, actual=second.body)
        claim(first.body, "a selector resolves to something", expected="a body", actual="nothing")
    subject.driver.plan(Resource(kind=Kind.NETWORK, name="choice", spec=NetworkSpec()))


def _any_image(subject: Subject) -> ImageSpec:
    """A selector made of what the platform says of its first image."""
    facts = subject.description.images[0].facts if subject.description.images else {}
    return ImageSpec(os=str(facts.get("os", "")), version=str(facts.get("version", "")))
