"""docs/oci.md: what the agent would read is there, and as long as the page says. No agent and no OCI."""

import collections
import re
import urllib.parse

import pytest

from exporter import Exporter, Metrics
from info import read_info
from monitoring import REPOSITORY
from tenants import acl_taken_in, full_pass, quick_passes
from waiting import wait_until

pytestmark = [pytest.mark.newest_server("what the exporter shows is the most with the newest"), pytest.mark.long]

PAGE = (REPOSITORY / "docs/oci.md").read_text()
TENANTS = 1000
MOST_BYTES = 400_000  # that the agent takes; a KB may be 1,024
KEYS = {"url", "namespace", "compartmentId", "scheduleMins", "allowMetrics", "metricDimensions"}  # of Oracle's examples


@pytest.fixture
def pages(launch, module, tmp_path):
    """{options: a function of `top`, which gives the page} of exporters for a server with a thousand tenants."""
    server = launch(lines=["maxmemory 4gb"])
    if server.version < (9, 1):
        pytest.skip("an older server tells less of a tenant, so its pages are shorter")
    quick_passes(server.admin)
    names = [f"tenant-{number:04}" for number in range(TENANTS)]
    server.admin.pipeline([("ACL", "SETUSER", name, "on", ">secret", f"~{name}:*", "+@all", "-@dangerous") for name in names])
    acl_taken_in(server.admin)
    for name in names:
        session = server.session(name)
        session.pipeline([("SET", f"{name}:{key}", "x" * 100) for key in range(20)] + [("GET", f"{name}:1")] * 20)
        session.close()
    full_pass(server.admin)
    wait_until(lambda: read_info(server.admin).status["keys"] == 20 * TENANTS, "a tally of all rows")  # of more than 1,000 there is one every two seconds
    exporters = {}
    try:
        for options in ((), ("--no-collect.prefixes",)):
            folder = tmp_path / f"exporter{len(exporters)}"
            folder.mkdir()
            exporters[options] = Exporter(module, folder, [server.port], options)
        yield {options: lambda top, exporter=exporter: exporter.text(f"/metrics?top={top}") for options, exporter in exporters.items()}
    finally:
        for exporter in exporters.values():
            exporter.stop()


def properties():
    block = re.search(r"(?:^       \w+=.*\n)+", PAGE, re.MULTILINE)[0]
    return dict(line.strip().split("=", 1) for line in block.splitlines())


def test_the_pages_are_as_long_as_the_document_says(pages):
    rows = [[int(cell.replace(",", "")) for cell in row] for row in re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", PAGE, re.MULTILINE)]
    assert len(rows) == 6
    whole, short = pages[()], pages[("--no-collect.prefixes",)]
    found = [[top, len(whole(top)), len(short(top))] for top, *_ in rows]
    print("top, bytes, bytes without prefixes:", *found, sep="\n")
    for told, measured in zip(rows, found):
        assert measured[1:] == pytest.approx(told[1:], rel=0.05)
    with_prefixes, without = map(int, re.search(r"So for one\s+node: (\d+) tenants with prefixes, (\d+) without", PAGE).groups())
    assert len(whole(with_prefixes)) < MOST_BYTES and len(short(without)) < MOST_BYTES
    per_tenant = [(len(page(TENANTS)) - len(page(10))) / (TENANTS - 10) / 1000 for page in (whole, short)]
    print("KB per tenant:", per_tenant)
    assert per_tenant == pytest.approx([float(number) for number in re.search(r"A tenant takes ([\d.]+) KB, or ([\d.]+) KB", PAGE).groups()], rel=0.05)


def test_what_the_agent_is_told_to_read_is_there_and_fits(pages):
    told = properties()
    url = urllib.parse.urlsplit(told["url"])
    assert (url.scheme, url.netloc, url.path) == ("http", "127.0.0.1:10911", "/metrics")
    assert set(told) - KEYS == set(told["metricDimensions"].split(","))
    text = pages[()](urllib.parse.parse_qs(url.query)["top"][0])
    assert len(text) < MOST_BYTES
    page = Metrics(text)
    wanted = told["allowMetrics"].split(",")
    assert set(wanted) <= set(page.samples)
    assert re.fullmatch(r"(?!oci_|oracle_)[a-z_]+", told["namespace"]) and f"= '{told['namespace']}'" in PAGE
    tenants = collections.Counter(dict(labels).get("tenant", "") for name in wanted for labels in page.samples[name])
    [streams] = {count for tenant, count in tenants.items() if tenant.startswith("tenant-")}
    assert f"makes {streams} streams per tenant and node" in PAGE
    alarms = re.findall(r"^    (\w+)\[1m\](.*)$", PAGE, re.MULTILINE)
    assert len(alarms) == 3
    for name, rest in alarms:
        used = set(re.findall(r"(\w+) =~? ", rest)) | set(re.search(r"groupBy\((.*?)\)", rest)[1].split(", "))
        assert name in wanted and used - set(told["metricDimensions"].split(",")) <= {label for labels in page.samples[name] for label in dict(labels)}, name
