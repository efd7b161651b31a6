"""The pages in a real browser, with scripts and without, and what they give to programs."""

import collections
import csv
import datetime
import io
import json
import random
import os
import pathlib
import re
import signal
import statistics
import threading
import urllib.parse

import pytest
from selenium.common.exceptions import NoAlertPresentException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from browser import chromium, prefer, resize
from exporter import Exporter
from info import read_info
from server import free_port
from shared_cluster import SharedCluster
from tenants import acl_taken_in, full_pass, quick_passes
from waiting import exit_code, patience, wait_until

pytestmark = pytest.mark.newest_server("the page does not depend on the server")

# names that are allowed to users, and would do harm on a page that trusts them
HOSTILE = [b"<script>alert(1)</script>", b'"><img/src=x/onerror=alert(1)>', b"'onmouseover='alert(1)", b"&lt;b&gt;", b"=1+1", b"%00\x01\xff", b"{{table}}",
           b"..", b".", b"a/b", b"%2F", b"../../metrics", b"?q=x#y", b"n" * 512]  # fmt: skip
KEYS = {"small": 3, "middle": 30, "large": 300}
SIZES = [(1440, 900), (820, 1180), (390, 844)]


def fill(server):
    """Three tenants of different size and some with hostile names."""
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


@pytest.fixture
def site(launch, module, tmp_path):
    server = launch()
    fill(server)
    directory = tmp_path / "exporter"
    directory.mkdir()
    exporter = Exporter(module, directory, [server.port], options=["--web.keys"])
    yield server, exporter
    assert exporter.stop() == 0


@pytest.fixture(scope="session")
def one_browser():
    """For all tests of a worker: a start takes a second."""
    with chromium() as driver:
        yield driver


@pytest.fixture
def driver(one_browser):
    one_browser.get("about:blank")
    one_browser.get_log("browser")
    prefer(one_browser, dark=False)
    resize(one_browser, *SIZES[0])
    return one_browser


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


def loaded(driver, address):
    """The page as it is loaded, which does not renew itself."""
    driver.get(address)
    Select(driver.find_element(By.ID, "refresh")).select_by_value("0")
    driver.get(address)


def overflows(driver):
    return driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth") > 0


def test_the_table_shows_what_the_module_says(site, driver):
    server, exporter = site
    loaded(driver, exporter.address + "/tenants")
    info = read_info(server.admin)
    for name in KEYS:
        assert cell(driver, name, "Keys") == f"{info.tenants[name.encode()]['keys']:,}"
        assert cell(driver, name, "Connections") == str(info.tenants[name.encode()]["connections"])
    total = driver.find_elements(By.CSS_SELECTOR, "tfoot tr:last-child > *")[column(driver, "Keys")].text
    assert total == f"{info.status['keys']:,}"
    driver.find_element(By.TAG_NAME, "summary").click()
    node = driver.find_element(By.CSS_SELECTOR, ".node").text
    assert f"127.0.0.1:{server.port}" in node and "primary" in node and info.status["server"] in node
    assert not errors(driver)


def test_a_click_on_a_head_sorts_and_another_one_turns_the_order(site, driver):
    _, exporter = site
    driver.get(exporter.address + "/tenants")
    assert sizes_in_order(driver) == ["large", "middle", "small"]
    for title, directions in (("Keys", ("descending", "ascending")), ("Tenant", ("ascending", "descending"))):
        for direction in directions:
            head(driver, title).find_element(By.TAG_NAME, "a").click()
            becomes(lambda: head(driver, title).get_attribute("aria-sort") == direction, "the order")  # noqa: B023
            assert sizes_in_order(driver) == (["large", "middle", "small"] if (title == "Keys") == (direction == "descending") else ["small", "middle", "large"])
            assert len(driver.find_elements(By.CSS_SELECTOR, "th[aria-sort]")) == 1
    assert driver.switch_to.active_element.text.startswith("Tenant"), "the keyboard stays where it was"
    assert "Tenant, descending" in driver.find_element(By.ID, "live").text
    driver.refresh()  # the order is in the address
    assert sizes_in_order(driver) == ["small", "middle", "large"][::-1 if title == "Keys" else 1]
    assert not errors(driver)


def test_the_search_filters_while_one_types_and_totals_and_address_follow(site, driver):
    server, exporter = site
    driver.get(exporter.address + "/tenants")
    box = driver.find_element(By.NAME, "q")
    box.send_keys("MIDD")
    becomes(lambda: names(driver) == ["middle"], "what matches")
    assert driver.find_element(By.ID, "count").text == f"1 of {len(KEYS) + len(HOSTILE) + 1} tenants"
    assert driver.find_element(By.CSS_SELECTOR, "tfoot th").text == "Total of what matches"
    assert driver.find_elements(By.CSS_SELECTOR, "tfoot tr:last-child > *")[column(driver, "Keys")].text == str(KEYS["middle"])
    assert "q=MIDD" in driver.current_url
    shown = driver.find_element(By.CSS_SELECTOR, "table").text
    driver.get(driver.current_url)
    assert re.sub(r"[\d.,]+", "0", driver.find_element(By.CSS_SELECTOR, "table").text) == re.sub(r"[\d.,]+", "0", shown), "the same as the server draws it"
    driver.find_element(By.NAME, "q").send_keys("\b" * 4)
    becomes(lambda: len(names(driver)) > 3, "all of them")
    assert "q=" not in driver.current_url
    assert not errors(driver)


def test_the_page_renews_itself_and_keyboard_selection_and_scroll_stay(site, driver):
    server, exporter = site
    driver.get(exporter.address + "/tenants?sort=keys")
    assert Select(driver.find_element(By.ID, "refresh")).first_selected_option.text == "5 s", "unless one pauses it"
    Select(driver.find_element(By.ID, "refresh")).select_by_value("2")
    resize(driver, 700, 500)
    driver.execute_script("""
        const link = [...document.querySelectorAll("tbody a")].find((link) => link.textContent == "small")
        link.focus({ preventScroll: true })
        link.proof = "the same one"
        getSelection().selectAllChildren([...document.querySelectorAll("tbody a")].find((link) => link.textContent == "middle"))
        document.querySelector("#table").scrollLeft = 40
        scrollTo(0, 150)""")
    server.admin.pipeline([("SET", f"small:{number}", "x") for number in range(1000)])
    becomes(lambda: cell(driver, "small", "Keys") == "1,000", "the new number")
    assert sizes_in_order(driver)[0] == "small", "its new place"
    where = driver.execute_script("""
        return [document.activeElement.textContent, document.activeElement.proof, getSelection().toString(),
                document.querySelector("#table").scrollLeft, scrollY]""")
    assert where[:4] == ["small", "the same one", "middle", 40]
    assert abs(where[4] - 150) <= 1, "but for rounding"
    becomes(lambda: driver.find_elements(By.CSS_SELECTOR, "tbody .spark"), "a trend")
    assert not errors(driver)
    exporter.process.kill()
    exit_code(exporter.process)
    wait_until(lambda: driver.find_element(By.ID, "lost").is_displayed(), "the page to say that the exporter is gone")
    exporter.stop = lambda: 0


def test_a_click_on_a_name_shows_all_that_is_known_of_the_tenant(site, driver):
    server, exporter = site
    server.session("large").pipeline([("GET", "large:1")] * 7)
    driver.get(exporter.address + "/")
    driver.find_element(By.LINK_TEXT, "Tenants").click()
    becomes(lambda: driver.find_element(By.LINK_TEXT, "large").click() or True, "a link")
    becomes(lambda: driver.find_element(By.CSS_SELECTOR, ".title h2").text == "large", "its page")
    text = driver.find_element(By.ID, "main").text
    assert driver.title == "large · valkey-tenants"
    for section in ("Prefixes", "Counters", "Users", "Commands", "Largest keys", "Nodes"):
        assert section in text
    assert "large:" in text and "get 7" in text and "set 300" in text and f"127.0.0.1:{server.port} primary" in text
    assert re.search(r"large:\d+ string", text)
    told = json.loads(exporter.text("/tenants/large?format=json"))
    info = read_info(server.admin).tenants[b"large"]
    assert (told["name"], told["keys"], told["bytes"]) == ("large", info["keys"], info["bytes"])
    assert told["commands_by_name"]["get"] == 7 and len(told["big_keys"]) == 10 and told["denied"] == []
    assert [row["name"] for row in told["prefix_rows"]] == ["large%3A"] and told["nodes"][0]["tenant"]["keys"] == 300
    assert len(told["trend"]["unix_seconds"]) == len(told["trend"]["bytes"])
    assert not errors(driver)


def test_hostile_names_are_text(site, driver):
    _, exporter = site
    for path in ("/", "/tenants", "/tenants?table=prefixes", "/tenants?q=%3Cscript%3Ealert(1)%3C/script%3E", "/tenants?q=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E"):
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


def test_every_name_is_a_link_to_its_own_page(site, driver, seed):
    """All are asked for, some of them by the browser."""
    _, exporter = site
    loaded(driver, exporter.address + "/tenants")
    links = {link.text: link.get_attribute("href") for link in driver.find_elements(By.CSS_SELECTOR, "tbody th a")}
    assert len(links) == len(KEYS) + len(HOSTILE) + 1
    for text, address in random.Random(seed).sample(sorted(links.items()), 6):
        driver.get(address)
        with pytest.raises(NoAlertPresentException):
            driver.switch_to.alert.dismiss()
        assert driver.find_element(By.CSS_SELECTOR, ".title h2").text == text
        assert driver.execute_script("return getComputedStyle(document.querySelector('header')).display") == "flex", "the style is found from there"
        told = json.loads(exporter.text(urllib.parse.urlsplit(driver.find_element(By.LINK_TEXT, "JSON").get_attribute("href"))._replace(scheme="", netloc="").geturl()))
        assert urllib.parse.unquote(told["name"]) == text or told["kind"] == "tenant"
        assert not driver.find_elements(By.CSS_SELECTOR, "main img, main script, [onerror], [onmouseover]")
        assert not errors(driver)
    assert all(exporter.request(urllib.parse.urlsplit(address)._replace(scheme="", netloc="").geturl())[0] == 200 for address in links.values())
    for name in HOSTILE:
        if name not in (b"..", b"."):
            assert exporter.request("/tenants/" + urllib.parse.quote_from_bytes(name, safe=""))[0] == 200, name


def test_a_tenant_that_nobody_knows_is_not_found(site):
    _, exporter = site
    for name in (b"nobody", b"..%2f..", b"%00", b"a%0d%0aX-Evil:%20y", b"%ff%fe", b"x" * 5000, b"(orphans)", b"<script>", b"%3Cscript%3E", b"large/", b""):
        status, headers, body = exporter.request("/tenants/" + name.decode())
        assert status == 404 and "X-Evil" not in headers and b"<script>" not in body.split(b"<main")[-1], name
    assert exporter.request("/tenants/?name=")[0] == 404
    assert exporter.request("/tenants/large?format=xml")[0] == exporter.request("/tenants/large?q=1")[0] == 400


@pytest.mark.newest_server("servers before 9.1 tell nobody of what they refuse", always=True)
def test_what_the_acl_of_the_exporter_does_not_have_is_named_and_not_asked_for_again(launch, export, driver):
    server = launch()
    fill(server)
    rights = ["-@all", "+tenants.status", "+tenants.list", "+tenants.prefixes", "+info", "+cluster|shards"]  # docs/exporter.md
    server.admin.call("ACL", "SETUSER", "watcher", "on", ">secret", *rights)
    acl_taken_in(server.admin)
    exporter = export(server.port, options=["--web.keys"], connection=["--user", "watcher"], environment={"VALKEYCLI_AUTH": "secret"})
    loaded(driver, exporter.address + "/tenants/large")
    text = driver.find_element(By.ID, "main").text
    assert "+tenants.get" in text and "large:" in text and "Counters" in text and "Users" not in text.replace("Users, commands", "")
    for _ in range(5):
        exporter.text("/tenants/large"), exporter.text("/")
    assert read_info(server.admin).tenants[b"watcher"]["denied"] < 10, "not for each look"
    assert "+tenants.top" in exporter.text("/")
    server.admin.call("ACL", "SETUSER", "watcher", "+tenants.get", "+tenants.top")
    acl_taken_in(server.admin)
    exporter.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "+tenants.get" not in exporter.text("/tenants/large"), "it to ask again")
    told = json.loads(exporter.text("/tenants/large?format=json"))
    assert told["denied"] == ["tenants.bigkeys"] and told["commands_by_name"]["set"] == 300
    assert "+tenants.bigkeys" in exporter.text("/tenants/large")
    quiet = export(server.port)
    assert "big_keys" not in json.loads(quiet.text("/tenants/large?format=json")) and "--web.keys" in quiet.text("/tenants/large")
    assert "large:1" not in quiet.text("/tenants/large")


def test_without_scripts_links_sort_and_drill_down_and_the_form_searches(site):
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
        driver.find_element(By.LINK_TEXT, "middle").click()
        becomes(lambda: "Counters" in driver.find_element(By.ID, "main").text, "its page")
        wait_until(lambda: driver.refresh() or driver.find_elements(By.CSS_SELECTOR, ".plot svg path"), "a trend, drawn by the server")
        driver.find_element(By.LINK_TEXT, "Prefixes").click()
        becomes(lambda: "large:" in names(driver), "the prefixes")
        becomes(lambda: head(driver, "Memory").get_attribute("aria-sort") == "descending", "the order")


def test_who_grew_most_comes_first_by_growth_and_stands_in_front(site, driver):
    server, exporter = site
    server.session("small").pipeline([("SET", f"small:grown{number}", "x" * 5000) for number in range(600)])
    rows = lambda: json.loads(exporter.text("/tenants?sort=growth&format=json"))["rows"]  # noqa: E731
    wait_until(lambda: rows()[0]["name"] == "small" and rows()[0].get("bytes_change_5m", 0) > 2_000_000, lambda: f"small to be first, {rows()[0]}")
    driver.get(exporter.address + "/tenants?sort=growth")
    assert names(driver)[0] == "small" and re.search(r"\+[\d.]+ MiB", driver.find_element(By.CSS_SELECTOR, "tbody tr").text)
    driver.get(exporter.address + "/")
    table = next(table for table in driver.find_elements(By.CSS_SELECTOR, "table.top") if "Most growth" in table.text)
    table.find_element(By.LINK_TEXT, "small").click()
    becomes(lambda: "Largest keys" in driver.find_element(By.ID, "main").text, "its page")


def test_what_does_not_fit_is_summed_and_the_server_sorts_and_searches_all(site, driver):
    server, exporter = site
    driver.get(exporter.address + "/tenants?top=1&sort=keys")
    assert names(driver) == ["large"]
    rest = driver.find_elements(By.CSS_SELECTOR, "tfoot tr:first-child > *")
    tenants = [row for row in json.loads(exporter.text("/tenants?format=json"))["rows"] if row["kind"] == "tenant"]
    assert rest[0].text == f"{len(tenants) - 1} more"
    assert rest[column(driver, "Keys")].text == str(sum(row["keys"] for row in tenants) - KEYS["large"])
    driver.find_element(By.NAME, "q").send_keys("small")
    becomes(lambda: names(driver) == ["small"], "the server to search")
    assert not errors(driver)


def test_every_control_has_a_name_and_every_head_a_scope(site, driver):
    _, exporter = site
    for path in ("/", "/tenants", "/tenants/large"):
        driver.get(exporter.address + path)
        for control in driver.find_elements(By.CSS_SELECTOR, "input:not([type=hidden]), select, button, a"):
            assert control.accessible_name or not control.is_displayed(), control.get_attribute("outerHTML")
        assert not driver.find_elements(By.CSS_SELECTOR, "th:not([scope])")
        assert driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"
        assert len(driver.find_elements(By.CSS_SELECTOR, "[aria-live]")) == 1


def test_no_page_is_wider_than_the_window_and_what_matters_is_on_the_first_screen(site, driver):
    _, exporter = site
    for size in SIZES:
        resize(driver, *size)
        for path in ("/", "/tenants", "/tenants?table=prefixes", "/tenants/large", "/tenants/" + "n" * 512):
            driver.get(exporter.address + path)
            assert not overflows(driver), (size, path)
            first = driver.find_elements(By.CSS_SELECTOR, "tbody th")
            if path.startswith("/tenants?") or path == "/tenants":
                assert first[0].rect["y"] < size[1] / 2, (size, path)
    assert not errors(driver)


CONTRAST = """
const light = (text) => {
  const [r, g, b] = text.match(/[0-9.]+/g).map((each) => each / 255).map((each) => (each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
const back = (element) => {
  for (; element; element = element.parentElement) {
    const color = getComputedStyle(element).backgroundColor
    if (!color.endsWith(", 0)")) return color
  }
}
return [...document.querySelectorAll("main *, header *")].filter((each) => [...each.childNodes].some((node) => node.nodeType == 3 && node.data.trim())).map((each) => {
  const [a, b] = [light(getComputedStyle(each).color), light(back(each))].sort((a, b) => b - a)
  return [(a + 0.05) / (b + 0.05), each.outerHTML.slice(0, 80)]
}).sort((a, b) => a[0] - b[0])[0]"""


@pytest.mark.newest_server("servers before 9.1 tell nobody of what they refuse", always=True)
def test_what_needs_attention_stands_in_front_with_a_link_to_who_it_is(launch, export, driver):
    server, dead = launch(), free_port()
    fill(server)
    alone, both = export(server.port), export(server.port, dead)
    session = server.session("small")

    def concerns(exporter):
        driver.get(exporter.address + "/")
        return [tuple(item.text.split("\n")[0].split(" ", 1)) for item in driver.find_elements(By.CSS_SELECTOR, "#attention li")]

    def refused():
        session.pipeline([("GET", "large:1")] * 20)
        return [text for severity, text in concerns(alone) if "refused by the ACL" in text]

    assert wait_until(refused, "the denials")[0].startswith("small: ")
    driver.find_element(By.LINK_TEXT, "details").click()
    becomes(lambda: driver.find_element(By.CSS_SELECTOR, ".title h2").text == "small", "its page")
    first = concerns(both)[0]
    assert first[0] == "critical" and f"127.0.0.1:{dead}" in first[1]
    assert "1 of 2 nodes are up" in driver.find_element(By.ID, "main").text
    assert not errors(driver)


def test_times_are_those_of_the_clock_on_the_wall_where_the_browser_is(site, driver):
    _, exporter = site
    moments = "return [...document.querySelectorAll('#main time')].map(time => [time.dateTime, time.innerText])"
    try:
        driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Kolkata"})
        loaded(driver, exporter.address + "/")
        for _ in range(2):
            [(utc, shown)] = driver.execute_script(moments)
            local = datetime.datetime.fromisoformat(utc) + datetime.timedelta(hours=5, minutes=30)
            assert shown == local.strftime("%Y-%m-%d %H:%M:%S GMT+5:30")
            Select(driver.find_element(By.ID, "refresh")).select_by_value("2")
            becomes(lambda before=utc: driver.execute_script(moments)[0][0] != before, "a refresh")
    finally:
        driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})
    assert re.search(r"Read \S+ \S+ UTC in ", re.sub("<[^>]*>", "", exporter.text("/")))


def test_light_and_dark_have_contrast(site, driver):
    _, exporter = site
    backs = set()
    for dark in (False, True):
        prefer(driver, dark)
        for path in ("/", "/tenants", "/tenants/large"):
            driver.get(exporter.address + path)
            worst, where = driver.execute_script(CONTRAST)
            assert worst >= 4.5, (dark, path, where)
        backs.add(driver.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert len(backs) == 2


def test_the_first_look_has_rates_of_the_last_seconds_and_trends(launch, export, driver):
    server = launch()
    server.admin.call("ACL", "SETUSER", "app", "on", "nopass", "~app:*", "+@all")
    acl_taken_in(server.admin)
    exporter, lazy = export(server.port, options=["--web.history-interval", "1"]), export(server.port, options=["--web.history-interval", "0"])
    server.session("app").pipeline([("SET", "app:1", "x" * 1000)] * 50)

    def trend():
        return json.loads(exporter.text("/tenants/app?format=json"))["trend"]

    wait_until(lambda: len(trend()["unix_seconds"]) >= 4 and sum(rate or 0 for rate in trend()["commands_per_second"]) > 10, "a trend")
    seconds = [float(said) for said in re.findall(r"Rates are of the last ([\d.]+) seconds", exporter.text("/tenants"))]
    assert seconds and seconds[0] < 30 * patience()
    driver.get(exporter.address + "/tenants/app")
    drawn = ".plot canvas" if "uPlot (v" in exporter.text("/page.js") else ".plot path"
    assert driver.find_elements(By.CSS_SELECTOR, drawn)
    assert not errors(driver), "nothing that the Content-Security-Policy had to stop"
    assert "Trend" not in lazy.text("/tenants") and "trend" not in json.loads(lazy.text("/tenants/app?format=json"))


@pytest.mark.long
@pytest.mark.not_with("coverage", "asan", "tsan", reason="a bound of time that the release build keeps")
def test_ten_thousand_tenants_are_on_the_screen_in_a_second(launch, export, driver):
    server = launch(module_arguments=["max-users", 12000, "max-prefixes", 12000])
    every = [f"tenant{number}" for number in range(10000)]
    server.admin.pipeline([("ACL", "SETUSER", name, "on", "nopass", f"~{name}:*", "+@all") for name in every])
    acl_taken_in(server.admin, 120)
    exporter = export(server.port)
    wait_until(lambda: json.loads(exporter.text("/tenants?format=json"))["rows"].__len__() > 10000, "a tally of all rows")

    def seconds(path):
        driver.get(exporter.address + path)
        return driver.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000

    loaded(driver, exporter.address + "/tenants")
    took = {path: statistics.median(seconds(path) for _ in range(3)) for path in ("/", "/tenants", "/tenants/tenant77", "/tenants?top=all")}
    size = len(exporter.text("/tenants?top=all"))
    print("10,000 tenants, seconds to the load event, median of 3: " + ", ".join(f"{path} {value:.2f}" for path, value in took.items()) + f"; all: {size / 1e6:.1f} MB")
    assert max(took["/"], took["/tenants"], took["/tenants/tenant77"]) < 2 * patience() and took["/tenants?top=all"] < 8 * patience()
    assert size < 5_000_000
    assert not overflows(driver)


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


def test_pictures_for_the_documentation(launch, version, module, tmp_path):
    """Taken where SCREENSHOTS says, else nowhere: SCREENSHOTS=docs pytest tests/integration/test_web.py -k pictures --servers 9"""
    if "SCREENSHOTS" not in os.environ:
        pytest.skip("SCREENSHOTS says where to put them")
    cluster = SharedCluster(launch)
    for node in cluster.nodes:
        node.admin.call("CONFIG", "SET", "maxmemory", "200mb")
    cluster.fill_with_life()
    exporter = Exporter(module, tmp_path, [cluster.nodes[0].port], connection=["-c"], options=["--web.history-interval", "1", "--web.keys"])
    life = threading.Thread(target=cluster.live, args=(165,))
    life.start()
    life.join(135)
    with chromium() as driver:
        for name, path, size, dark in [("desktop", "/", (1440, 900), False), ("phone", "/", (390, 844), False), ("dark", "/tenants?sort=commands", (1180, 740), True), ("tenant", "/tenants/search", (1440, 900), False)]:
            resize(driver, *size)
            prefer(driver, dark)
            driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
            driver.get(exporter.address + path)
            life.join(2)
            picture = driver.get_screenshot_as_png()
            assert not errors(driver) and len(picture) < 150_000
            (pathlib.Path(os.environ["SCREENSHOTS"]) / f"web-{name}.png").write_bytes(picture)
    life.join()
    assert exporter.stop() == 0
