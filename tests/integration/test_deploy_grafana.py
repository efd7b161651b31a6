"""deploy/grafana: what can be known of a dashboard without a Grafana. That its queries find something: test_deploy_end_to_end.py."""

import importlib.machinery
import importlib.util
import json
import re
import shutil
import subprocess

import pytest
import yaml

from monitoring import DEPLOY, REPOSITORY, program
from npm import fetched

GRAFANA = DEPLOY / "grafana"
NAMES = ["fleet.json", "tenant.json"]
BUILT_IN = {"__all", "__rate_interval", "__range", "__data"}


def read(name):
    return json.loads((GRAFANA / name).read_text())


def shown(dashboard):
    """All panels but the headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions(dashboard):
    """[(title, expression), …] of all panels."""
    return [(panel["title"], query["expr"]) for panel in shown(dashboard) for query in panel["targets"]]


def filled_in(expression):
    """As Grafana would send it with everything chosen, and the last minute shown."""
    values = {"$__rate_interval": "10s", "$__range": "1m", "$top": "10", "$job": ".*", "$cluster": ".*", "$node": ".*", "$tenant": ".*", "$prefix": ".*"}
    for name, value in values.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


@pytest.fixture(params=NAMES)
def dashboard(request):
    return read(request.param)


def test_the_dashboards_are_what_the_generator_writes():
    loader = importlib.machinery.SourceFileLoader("generate", str(GRAFANA / "generate"))
    generate = importlib.util.module_from_spec(importlib.util.spec_from_loader("generate", loader))
    loader.exec_module(generate)
    assert sorted(generate.DASHBOARDS) == NAMES
    for name in NAMES:
        assert (GRAFANA / name).read_text() == generate.text(name), f"run deploy/grafana/generate: {name} is older"


def test_a_dashboard_can_be_provisioned(dashboard):
    assert dashboard["id"] is None and dashboard["schemaVersion"] == 39 and "__inputs" not in dashboard
    assert dashboard["uid"] in {"valkey-tenants-fleet", "valkey-tenants-tenant"}
    assert [variable["name"] for variable in dashboard["templating"]["list"]][:4] == ["datasource", "job", "cluster", "node"]
    for link in dashboard["links"]:
        assert link["url"].removeprefix("/d/") in {read(name)["uid"] for name in NAMES}
    provider = yaml.safe_load((GRAFANA / "provisioning/dashboards.yaml").read_text())
    assert provider["apiVersion"] == 1 and {"name", "type", "options"} <= set(provider["providers"][0])
    source = yaml.safe_load((GRAFANA / "provisioning/datasources.yaml").read_text())
    assert source["apiVersion"] == 1 and source["datasources"][0]["type"] == "prometheus"


def test_every_panel_says_what_it_shows_and_in_which_unit(dashboard):
    assert len({panel["title"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in shown(dashboard):
        assert panel["title"] and panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert len({query["refId"] for query in panel["targets"]}) == len(panel["targets"]) > 0


def test_panels_have_ids_of_their_own_and_do_not_overlap(dashboard):
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_query_goes_to_the_chosen_source_and_uses_known_variables(dashboard):
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    for panel in shown(dashboard):
        for item in (panel, *panel["targets"]):
            assert item["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for query in panel["targets"]:
            expression = query["expr"]
            assert set(re.findall(r"\$\{?(\w+)", expression)) <= variables | BUILT_IN
            assert 'job=~"$job",cluster=~"$cluster",node=~"$node"' in expression
            assert all(window == "$__rate_interval" for window in re.findall(r"rate\([^\[]*\[([^\]]*)\]", expression))
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard))) <= variables | BUILT_IN
    for variable in dashboard["templating"]["list"]:
        assert variable["type"] in ("datasource", "custom") or variable["datasource"]["uid"] == "${datasource}"


def test_promtool_accepts_every_query(dashboard, tmp_path):
    rules = [{"record": f"query:{number}", "expr": filled_in(query)} for number, (_, query) in enumerate(expressions(dashboard))]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run([program("promtool"), "check", "rules", "--lint=none", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboards_have_grafanas_types(tmp_path):
    folder = fetched("grafana-schema", ["@grafana/schema@11.6.0", "typescript@5.6.3"])
    (tmp_path / "node_modules").symlink_to(folder / "node_modules")
    shutil.copy(REPOSITORY / "tests/integration/grafana.ts", tmp_path)
    for name in NAMES:
        text = f'import type {{ Checked }} from "./grafana";\nexport const dashboard: Checked = {(GRAFANA / name).read_text()};\n'
        (tmp_path / name.replace(".json", ".ts")).write_text(text)
    options = "--noEmit --strict --skipLibCheck --module es2020 --moduleResolution node --target es2020".split()
    sources = [name.replace(".json", ".ts") for name in NAMES]
    done = subprocess.run(["node", "node_modules/typescript/bin/tsc", *options, *sources], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
