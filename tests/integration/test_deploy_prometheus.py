"""deploy/prometheus: the rules and their own tests with promtool, and what a real Prometheus makes of them."""

import re
import subprocess

import pytest
import yaml

from monitoring import DEPLOY, REPOSITORY, deployed, program

PROMETHEUS = DEPLOY / "prometheus"
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
SEVERITIES = {"critical", "warning", "info"}


def rules_of(name):
    return [rule for group in yaml.safe_load((PROMETHEUS / name).read_text())["groups"] for rule in group["rules"]]


def promtool(*words):
    done = subprocess.run([program("promtool"), *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("folder", ["prometheus", "redis_exporter"])
def test_promtool_accepts_the_configuration(folder, tmp_path):
    config = tmp_path / "prometheus.yml"
    config.write_text(deployed(f"{folder}/prometheus.yml", {"/etc/prometheus/valkey-tenants": str(PROMETHEUS)}))
    assert "2 rule files found" in promtool("check", "config", config)


def test_the_rules_do_what_their_tests_say():
    assert promtool("test", "rules", *TESTS).count("SUCCESS") == len(TESTS) == 3


@pytest.mark.parametrize("alert", rules_of("alerts.yml"), ids=lambda alert: alert["alert"])
def test_an_alert_is_tested_and_documented(alert):
    name = alert["alert"]
    assert re.fullmatch(r"ValkeyTenant([A-Z][a-z]+)+", name)
    assert alert["labels"]["severity"] in SEVERITIES
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["summary"].endswith(".") and "{{" not in alert["annotations"]["summary"]
    page, anchor = alert["annotations"]["runbook_url"].split("#")
    text = (REPOSITORY / page).read_text()
    assert f"\n### {name}\n" in text and anchor == name.lower()
    [row] = re.findall(rf"^\| \[{name}\]\(#{anchor}\) \| .+ \| (.*) \| (.*) \|$", text, re.MULTILINE)
    assert row == (alert.get("for", "–").replace("m", " m"), alert["labels"]["severity"])
    tests = [test for file in TESTS for test in yaml.safe_load(file.read_text())["tests"]]
    cases = [[case for case in test.get("alert_rule_test", ()) if case["alertname"] == name] for test in tests]
    fires = [[bool(case.get("exp_alerts")) for case in of_test] for of_test in cases]
    assert [False, True, False] in fires, f"{name} has no test in which it is silent, fires and resolves"


def test_recording_rules_are_tested_and_named_by_level_metric_and_operation():
    tested = "\n".join(file.read_text() for file in TESTS)
    for rule in rules_of("rules.yml"):
        assert re.fullmatch(r"(tenant|prefix|node|tenant_node):valkey_tenant_[a-z_]+:(sum|ratio|share|rate5m|share5m|largest_node_share|ratio_rate5m|predict4h|delta30m)", rule["record"])
        assert f"- expr: {rule['record']}" in tested
