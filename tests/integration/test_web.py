"""The page of tenants in a real browser, with scripts and without, and what it gives to programs."""

import collections
import csv
import io
import json
import os
import pathlib

import pytest
from selenium.common.exceptions import NoAlertPresentException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from browser import chromium
from exporter import Exporter
from info import read_info
from shared_cluster import SharedCluster
from tenants import acl_taken_in, full_pass, quick_passes
from waiting import exit_code, wait_until

pytestmark = pytest.mark.newest_server("the page does not depend on the server")

# names that are allowed to users, and would do harm on a page that trusts them
HOSTILE = [b"<script>alert(1)</script>", b'"><img/src=x/onerror=alert(1)>', b"'onmouseover='alert(1)", b"&lt;b&gt;", b"=1+1", b"%00\x01\xff", b"{{table}}"]
KEYS = {"small": 3, "middle": 30, "large": 300}


@pytest.fixture
def site(launch, module, tmp_path):
    """(server, exporter) with three tenants of different size and some with hostile names."""
    server = launch()
    quick_passes(server.admin)
    for name in [*map(str.encode, KEYS), *HOSTILE]:
        server.admin.call("ACL", "SETUSER", name, "on", ">secret", b"~" + name + b":*", "+@all")
    session = server.session()
    for name, count in KEYS.items():
        session.pipeline([("AUTH", name, "secret"), *[("SET", f"{name}:{number}", "x" * 100) for number in range(count)]])
    for name in HOSTILE:
        session.pipeline([("AUTH", name, "secret"), ("SET", name + b":k", "x")])
    acl_taken_in(server.admin)
    full_pass(server.admin)
    directory = tmp_path / "exporter"
    directory.mkdir()
    exporter = Exporter(module, directory, [server.port])
    yield server, exporter
    assert exporter.stop() == 0


# One look at a page that may be renewed at any moment: all is read by one script.
NAMES = """return [...document.querySelectorAll("tbody tr:not(.own)")]
  .filter(row => row.getClientRects().length).map(row => row.querySelector("th").innerText)"""
CELL = """const [name, title] = arguments
const heads = [...document.querySelectorAll("thead th")].map(head => head.innerText.trim())
const row = [...document.querySelectorAll("tbody tr")].find(row => row.querySelector("th").innerText == name)
return row.querySelectorAll("th, td")[heads.findIndex(head => head.startsWith(title))].innerText"""


def names(driver):
    """Of the visible rows but the module's own."""
    return driver.execute_script(NAMES)


def column(driver, title):
    heads = driver.find_elements(By.CSS_SELECTOR, "thead th")
    return next(number for number, head in enumerate(heads) if head.text.strip().startswith(title))


def head(driver, title):
    return driver.find_elements(By.CSS_SELECTOR, "thead th")[column(driver, title)]


def cell(driver, name, title):
    return driver.execute_script(CELL, name, title)


def sizes_in_order(driver):
    return [name for name in names(driver) if name in KEYS]


def becomes(look, what):
    """Waits for `look` to be true, on a page that is renewed, or left, while one looks."""

    def calm():
        try:
            return look()
        except (StopIteration, WebDriverException):  # the element is of the page before, or not there yet
            return False

    return wait_until(calm, what)


def errors(driver):
    return [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def test_the_table_shows_what_the_module_says(site):
    server, exporter = site
    with chromium() as driver:
        driver.get(exporter.address + "/tenants")
        info = read_info(server.admin)
        for name in KEYS:
            assert cell(driver, name, "Keys") == f"{info.tenants[name.encode()]['keys']:,}"
            assert cell(driver, name, "Connections") == str(info.tenants[name.encode()]["connections"])
        total = driver.find_elements(By.CSS_SELECTOR, "tfoot tr:last-child > *")[column(driver, "Keys")].text
        assert total == f"{info.status['keys']:,}"
        node = driver.find_element(By.CSS_SELECTOR, ".node").text
        assert f"127.0.0.1:{server.port}" in node and "primary" in node and info.status["server"] in node
        assert not errors(driver)


def test_a_click_on_a_head_sorts_and_another_one_turns_the_order(site):
    _, exporter = site
    with chromium() as driver:
        driver.get(exporter.address + "/tenants")
        assert sizes_in_order(driver) == ["large", "middle", "small"]
        for title, orders in (("Keys", [["large", "middle", "small"], ["small", "middle", "large"]]), ("Tenant", [["large", "middle", "small"], ["small", "middle", "large"]])):
            for order, direction in zip(orders, ("descending", "ascending") if title == "Keys" else ("ascending", "descending")):
                head(driver, title).find_element(By.TAG_NAME, "a").click()
                assert sizes_in_order(driver) == order
                assert head(driver, title).get_attribute("aria-sort") == direction
                assert len(driver.find_elements(By.CSS_SELECTOR, "th[aria-sort]")) == 1
        driver.refresh()  # the order is in the address
        assert sizes_in_order(driver) == ["small", "middle", "large"]
        assert not errors(driver)


def test_the_search_filters_while_one_types(site):
    _, exporter = site
    with chromium() as driver:
        driver.get(exporter.address + "/tenants")
        box = driver.find_element(By.NAME, "q")
        box.send_keys("MIDD")
        assert names(driver) == ["middle"]
        assert driver.find_element(By.ID, "count").text == "1 match"
        for _ in range(4):
            box.send_keys("\b")
        assert len(names(driver)) > 3
        assert not errors(driver)


def test_the_page_renews_itself_and_draws_a_trend(site):
    server, exporter = site
    with chromium() as driver:
        driver.get(exporter.address + "/tenants?sort=keys")
        Select(driver.find_element(By.ID, "refresh")).select_by_value("2")
        server.admin.pipeline([("SET", f"small:{number}", "x") for number in range(1000)])
        becomes(lambda: cell(driver, "small", "Keys") == "1,000", "the new number")
        becomes(lambda: sizes_in_order(driver)[0] == "small", "the same order as before")
        becomes(lambda: driver.find_elements(By.CSS_SELECTOR, "tbody .spark"), "a trend")
        becomes(lambda: head(driver, "Trend").is_displayed(), "a head for it")
        assert not errors(driver)
        exporter.process.kill()
        exit_code(exporter.process)
        wait_until(lambda: driver.find_element(By.ID, "lost").is_displayed(), "the page to say that the exporter is gone")
    exporter.stop = lambda: 0


def test_hostile_names_are_text(site):
    _, exporter = site
    with chromium() as driver:
        for path in ("/tenants", "/tenants?table=prefixes", "/tenants?q=%3Cscript%3Ealert(1)%3C/script%3E", "/tenants?q=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E"):
            driver.get(exporter.address + path)
            with pytest.raises(NoAlertPresentException):
                driver.switch_to.alert.dismiss()
            assert not driver.find_elements(By.CSS_SELECTOR, "main img, main script, [onerror], [onmouseover]")
            assert not errors(driver), "nothing that the Content-Security-Policy had to stop"
        driver.get(exporter.address + "/tenants")
        shown = names(driver)
        for name in HOSTILE[:5]:
            assert name.decode() in shown
        assert "%2500%01%FF" in shown


def test_without_scripts_links_sort_and_the_form_searches(site):
    _, exporter = site
    with chromium(scripts=False) as driver:
        driver.get(exporter.address + "/tenants")
        assert not driver.find_element(By.CSS_SELECTOR, ".refresh").is_displayed()
        for order, sizes in (("desc", ["large", "middle", "small"]), ("asc", ["small", "middle", "large"])):
            head(driver, "Keys").find_element(By.TAG_NAME, "a").click()
            becomes(lambda order=order: f"order={order}" in driver.current_url and "sort=keys" in driver.current_url, "the page")
            becomes(lambda sizes=sizes: sizes_in_order(driver) == sizes, "a page in this order")
        driver.find_element(By.NAME, "q").send_keys("mid")
        driver.find_element(By.CSS_SELECTOR, "form button").click()
        becomes(lambda: names(driver) == ["middle"], "what matches")
        becomes(lambda: driver.find_element(By.CSS_SELECTOR, "tfoot th").text == "Total of what matches", "its total")
        driver.find_element(By.LINK_TEXT, "Prefixes").click()
        becomes(lambda: "large:" in names(driver), "the prefixes")
        becomes(lambda: head(driver, "Memory").get_attribute("aria-sort") == "descending", "the order")


def test_what_does_not_fit_is_summed_and_the_server_sorts_and_searches_all(site):
    server, exporter = site
    with chromium() as driver:
        driver.get(exporter.address + "/tenants?top=1&sort=keys")
        assert names(driver) == ["large"]
        rest = driver.find_elements(By.CSS_SELECTOR, "tfoot tr:first-child > *")
        assert rest[0].text.endswith(" more")
        assert rest[column(driver, "Keys")].text == str(server.admin.call("DBSIZE") - KEYS["large"])
        driver.find_element(By.NAME, "q").send_keys("small")
        becomes(lambda: names(driver) == ["small"], "the server to search")
        assert not errors(driver)


def test_every_control_has_a_name_and_every_head_a_scope(site):
    _, exporter = site
    with chromium() as driver:
        driver.get(exporter.address + "/tenants")
        for control in driver.find_elements(By.CSS_SELECTOR, "input:not([type=hidden]), select, button, a"):
            assert control.accessible_name, control.get_attribute("outerHTML")
        assert not driver.find_elements(By.CSS_SELECTOR, "th:not([scope])")
        assert driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"


def test_json_and_csv_have_the_numbers_unrounded(site):
    server, exporter = site
    info = read_info(server.admin)
    data = json.loads(exporter.text("/tenants?format=json"))
    rows = {row["name"]: row for row in data["rows"]}
    for name in KEYS:
        for field in ("keys", "bytes", "commands", "writes"):
            assert rows[name][field] == info.tenants[name.encode()][field]
    assert data["total"]["keys"] == info.status["keys"]
    assert data["total"]["bytes_error"] == sum(row.get("bytes_error", 0) for row in data["rows"])
    assert data["nodes"][0]["role"] == "primary" and data["incomplete"] == []
    table = list(csv.DictReader(io.StringIO(exporter.text("/tenants?format=csv"), newline="")))
    for row in table:
        assert row["name"][0] not in "=+-@", "a spreadsheet would compute it"
        if row["name"] in KEYS:
            assert int(row["keys"]) == KEYS[row["name"]]
    assert len(table) == len(rows)
    prefixes = json.loads(exporter.text("/tenants?format=json&table=prefixes"))
    assert {row["name"]: row["owner"] for row in prefixes["rows"]}["large%3A"] == "large"


@pytest.mark.parametrize("table, command", [("tenants", "TENANTS.LIST"), ("prefixes", "TENANTS.PREFIXES")])
def test_json_and_csv_name_the_kinds_as_the_module_does(site, table, command):
    server, exporter = site
    server.admin.call("MSET", "nobodys:1", "x", "without-separator", "x")
    full_pass(server.admin)
    _, rows = server.admin.call(command, 0, "COUNT", 1000)
    kinds = collections.Counter(dict(zip(row[::2], row[1::2]))[b"kind"] for row in rows)
    assert kinds.keys() >= ({b"tenant", b"overhead", b"internal"} if table == "tenants" else {b"prefix", b"none"})
    path = f"/tenants?table={table}&format="
    for rows in (json.loads(exporter.text(path + "json"))["rows"], list(csv.DictReader(io.StringIO(exporter.text(path + "csv"), newline="")))):
        assert collections.Counter(row["kind"].encode() for row in rows) == kinds
        for row in rows:
            assert row["name"] == f"({row['kind']})" or not row["name"].startswith("("), row


def test_a_picture_of_the_page_for_the_documentation(launch, version, module, tmp_path):
    """Taken where SCREENSHOT says, else nowhere: SCREENSHOT=docs/web.png pytest tests/integration/test_web.py -k picture"""
    if "SCREENSHOT" not in os.environ or version != "9":
        pytest.skip("SCREENSHOT says where to put it, and one version is enough")
    cluster = SharedCluster(launch)
    cluster.fill_with_life()
    exporter = Exporter(module, tmp_path, [cluster.nodes[0].port], connection=["-c"])
    with chromium(size=(1480, 960)) as driver:
        driver.get(exporter.address + "/tenants?sort=commands")
        Select(driver.find_element(By.ID, "refresh")).select_by_value("2")
        cluster.live(45)
        picture = driver.get_screenshot_as_png()
        assert not errors(driver)
    assert exporter.stop() == 0
    assert len(picture) < 200_000
    pathlib.Path(os.environ["SCREENSHOT"]).write_bytes(picture)
