"""Nothing private survives redaction, wherever it stands, and honest text does."""

from __future__ import annotations

import base64
import html
import ipaddress
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.redact import Private, redaction


def document(**more: Any) -> dict[str, Any]:
    return {"platform": {"name": "p", "declared": {}, "described": {}}, "checks": [], **more}


def redacted(value: dict[str, Any], private: Private | None = None) -> str:
    return json.dumps(redaction(value, private or Private()).value(value), ensure_ascii=False)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----",
            "b3Blbn",
        ),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEcut off", "MIIEcut"),
        ("key AKIAIOSFODNN7EXAMPLE used", "AKIAIOSFODNN7EXAMPLE"),
        ("password: hunter22", "hunter22"),
        ("OS_PASSWORD=hunter22 openstack", "hunter22"),
        ('{"secret_access_key": "wJalrXUtnFEMI"}', "wJalrXUtnFEMI"),
        ("Authorization: Bearer abc.def-123456", "abc.def-123456"),
        ("X-Auth-Token: 0123456789abcdef", "0123456789abcdef"),
        ("git clone https://me:tok3n99@example.org/x", "tok3n99"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
    ],
)
def test_secrets_are_known_by_their_form(text: str, secret: str) -> None:
    out = redacted(document(evidence=[{"title": "x", "text": text}]))

    assert secret not in out
    assert "[secret]" in out


@pytest.mark.parametrize(
    "text",
    [
        "token-required: True",
        "passwordauthentication: no",
        "sha256:f008b37b9f77adbcfd5efbfdc5a64c3ed6b141f14d942c47f3b714fd2ba2d660",
        "a wrong password is refused",
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportKeyPair.html",
        "10.66.3.10 answers at 2026-11-21T03:00:00Z",
    ],
)
def test_honest_text_stays(text: str) -> None:
    plain = document(evidence=[{"title": "x", "text": text}])

    assert json.loads(redacted(plain)) == plain


def test_a_fact_about_passwords_is_no_password() -> None:
    fact = {"name": "wrong-password", "value": "refused", "source": "guest"}

    assert "refused" in redacted(document(facts=[fact]))


def test_controllers_are_taken_out_wherever_they_stand() -> None:
    plain = document(
        facts=[{"name": "bmc-address", "value": "10.9.8.7", "source": "api"}],
        evidence=[
            {
                "title": "ipmitool -I lanplus -H 10.9.8.9 power status",
                "text": "10.9.8.7 and 10.9.8.70",
            },
            {"title": "GET https://[fd00::17]:443/redfish/v1", "text": "fd00::17 says 200"},
            {"title": "http", "text": "https://bmc-3.example.org/redfish/v1/Systems"},
        ],
    )

    out = redacted(plain)

    assert "10.9.8.70" in out  # another address
    assert "10.9.8.7 " not in out
    assert "10.9.8.9" not in out
    assert "fd00::17" not in out
    assert "bmc-3.example.org" not in out


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("pa\u017f\u017fword: hunter22", "hunter22"),
        ("AP\u0130_KEY=hunter22", "hunter22"),
        ("\u0131pmi://10.9.8.7/", "10.9.8.7"),
        ('said "a\\b" once', "a\\b"),
    ],
)
def test_what_json_or_letters_disguise_is_found_in_a_list(text: str, secret: str) -> None:
    value = document(evidence=[{"title": "x", "text": text}])

    out = redaction(value, Private(values=('a\\b"c', 'a\\b" '))).value(value)

    assert secret not in out["evidence"][0]["text"]


@pytest.mark.parametrize("value", ["hunter22-correct", 'a"b<c>&d\\e', "4242 4242+4242"])
@pytest.mark.parametrize("around", [("", ""), ("u:", ""), ("me:", " tail"), ("xyz", "#")])
def test_a_value_is_found_however_it_is_written(value: str, around: tuple[str, str]) -> None:
    """Quoted, encoded, and in the middle of somebody else's base64, in values and in keys."""
    data = value.encode()
    inside = (around[0] + value + around[1]).encode()
    written = [
        quote(value, safe=""),
        "".join(f"%{byte:02X}" for byte in data),
        json.dumps({"k": value}),
        "".join(f"\\u{ord(one):04x}" for one in value),
        html.escape(value),
        "".join(f"&#{ord(one)};" for one in value),
        data.hex().upper(),
    ]
    encoded = [base64.b64encode(inside).decode(), base64.urlsafe_b64encode(inside).decode()]
    plain = document(evidence=[{"title": "x", "text": text, text: 1} for text in written + encoded])

    out = redaction(plain, Private(values=(value,))).value(plain)

    for text, item in zip(written, out["evidence"], strict=False):
        assert "[private-1]" in item["text"], text
        assert text not in item["text"]
        assert text not in item
    rest = len(base64.b64encode("".join(around).encode())) + 4  # what is around it, and padding
    for item in out["evidence"][len(written) :]:
        assert "[private-1]" in item["text"]
        assert len(item["text"].replace("[private-1]", "")) <= rest


@pytest.mark.parametrize(
    "text",
    ["2001:db8::aa:0:0:17", "2001:DB8:0:0:AA::17", "2001:0db8:0000:0000:00aa:0000:0000:0017",
     "https://[2001:db8::aa:0:0:17]:443/x", "see 2001:0db8:0:0:00AA::17/64",
     "7.1.0.0.0.0.0.0.0.0.0.0.a.a.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"],
)  # fmt: skip
def test_an_address_is_found_however_it_is_written(text: str) -> None:
    plain = document(
        facts=[{"name": "bmc-address", "value": "2001:db8:0:0:aa::17", "source": "api"}],
        checks=[{"reason": text, "evidence": [{"title": "x", "text": text}]}],
    )

    out = redacted(plain)

    assert out.count("[bmc-1]") == 3
    assert "17" not in out.replace("[bmc-1]", "")
    assert "2001:db8::18" in redacted(document(checks=[{"reason": "2001:db8::18"}]))


def test_what_was_redacted_stays_as_it_is() -> None:
    plain = document(checks=[{"reason": "twofold, once"}])
    plain["platform"]["declared"] = {"a": "twofold", "b": "once", "private": ["a", "b"]}
    once = redaction(plain, Private()).value(plain)

    assert redaction(once, Private()).value(once) == once
    assert "twofold" not in json.dumps(once)


def test_equal_values_have_equal_stand_ins() -> None:
    fact = {"name": "bmc", "value": "10.9.8.7", "source": "api"}
    other = {"name": "bmc", "value": "10.9.8.8", "source": "api"}
    plain = document(facts=[fact, fact, other])

    values = [f["value"] for f in redaction(plain, Private()).value(plain)["facts"]]

    assert values[0] == values[1] != values[2]


def test_the_owner_marks_keys_and_their_values_go_everywhere() -> None:
    plain = document(evidence=[{"title": "caller", "text": "arn:aws:iam::123456789012:user/x"}])
    plain["platform"]["declared"] = {
        "private": ["account", "zo*"],
        "account": 123456789012,
        "zone": "b",
    }

    out = redacted(plain)

    assert "123456789012" not in out
    assert json.loads(out)["platform"]["declared"]["zone"].startswith("[private")


def test_networks_of_the_publisher_are_taken_out() -> None:
    private = Private(networks=(ipaddress.ip_network("10.1.0.0/16"),))

    out = redacted(document(text="10.1.2.3 and 10.2.2.3"), private)

    assert "10.1.2.3" not in out
    assert "10.2.2.3" in out


@pytest.mark.parametrize(
    "text", ["via192.0.2.7b", "::ffff:192.0.2.7", "(192.0.2.7)", "192.0.2.7:623"]
)
def test_a_controllers_address_is_found_beside_letters(text: str) -> None:
    plain = document(text=text)
    plain["platform"]["described"] = {"bmc": {"address": "192.0.2.7"}}

    assert "192.0.2.7" not in redacted(plain)


@pytest.mark.parametrize("text", ["192.0.2.77", "1192.0.2.7", "192.0.2.7.9", "7.192.0.2.7"])
def test_a_longer_address_is_another(text: str) -> None:
    plain = document(text=text)
    plain["platform"]["described"] = {"bmc": {"address": "192.0.2.7"}}

    assert text in redacted(plain)


WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\\"), min_size=6, max_size=24
).filter(lambda text: text.strip() == text and not text.isdigit())
PLACES = ("text", "key", "url", "base64", "fact", "number", "list")


@settings(deadline=None)
@given(secret=WORDS, place=st.sampled_from(PLACES), around=st.text(max_size=12))
def test_a_planted_value_never_survives(secret: str, place: str, around: str) -> None:
    encoded = base64.b64encode(secret.encode()).decode()
    planted: dict[str, Any] = {
        "text": {"text": f"{around}{secret}{around}"},
        "key": {secret: 1},
        "url": {"text": f"https://example.org/{quote(secret, safe='')}"},
        "base64": {"text": f"{around} {encoded}"},
        "fact": {"name": "x", "value": {"deep": [secret]}, "source": "api"},
        "number": {"text": [1, secret.upper()]},
        "list": {"text": [[secret], around]},
    }
    plain = document(checks=[planted[place]])

    out = redacted(plain, Private(values=(secret,))).lower()

    for form in (secret, quote(secret, safe="")):
        assert json.dumps(form, ensure_ascii=False)[1:-1].lower() not in out.replace(
            "[private-1]", ""
        )
    assert encoded.rstrip("=").lower() not in out
