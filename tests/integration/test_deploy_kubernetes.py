"""deploy/kubernetes, as far as it goes without a cluster: its command lines, users and settings on real servers, its rules and
relabeling in a real Prometheus, its fields against the types of Kubernetes and of the Prometheus operator."""

import contextlib
import hashlib
import importlib.machinery
import importlib.util
import json
import pathlib
import re
import subprocess

import pytest
import yaml

from cluster import Cluster
from conftest import server_binary
from exporter import Metrics
from monitoring import DEPLOY, REPOSITORY, deployed, fetch, program, prometheus, running
from npm import fetched
from server import free_port
from tenants import quick_passes, resp3
from waiting import wait_until

pytestmark = pytest.mark.newest_server("what is deployed does not depend on the server")

KUBERNETES = DEPLOY / "kubernetes"
FILES = sorted(path.name for path in KUBERNETES.glob("*.yaml"))
README = (KUBERNETES / "README.md").read_text()
IN_THE_IMAGE = "/usr/lib/valkey/tenants.so"
PASSWORD = "a password of the tests"

# What npm has no types for. Names of the chart's values.yaml, version 0.11.0, and of the ValkeyCluster of operator 0.5.0, as read there.
CHART_VALUES = {"auth", "extraContainers", "extraInitContainers", "extraVolumeMounts", "extraVolumes", "livenessProbe", "startupProbe", "valkeyConfig"}
CHART_AUTH = {"aclConfig", "aclUsers", "enabled", "usersExistingSecret"}
CLUSTER_SPEC = {"config", "containers", "exporter", "image", "imagePullSecrets", "podSecurityContext", "replicas", "resources", "shards", "users"}
CLUSTER_USER = {"name", "enabled", "passwordSecret", "permissions"}


def read(name):
    return yaml.safe_load((KUBERNETES / name).read_text())


VALUES, CLUSTER, EXPORTER, MONITOR = (read(name) for name in ("valkey-values.yaml", "valkeycluster.yaml", "exporter.yaml", "podmonitor.yaml"))
EXPORTER_POD = EXPORTER["spec"]["template"]["spec"]
[SIDECAR], [INIT], [ALONE] = VALUES["extraContainers"], VALUES["extraInitContainers"], EXPORTER_POD["containers"]
WITH_VOLUMES = [(SIDECAR, VALUES["extraVolumes"]), (INIT, VALUES["extraVolumes"]), (ALONE, EXPORTER_POD["volumes"])]
USERS = {
    "chart": {name: user["permissions"] for name, user in VALUES["auth"]["aclUsers"].items()},
    "operator": {user["name"]: user["permissions"] for user in CLUSTER["spec"]["users"]},
}


@pytest.fixture
def users_file(tmp_path):
    """A function that writes an ACL file as the chart's init script and the operator do; gives the line for valkey.conf. Not for
    `default`, as which the tests come in."""

    def write(users):
        lines = [f"user {name} on #{hashlib.sha256(PASSWORD.encode()).hexdigest()} {rules}\n" for name, rules in users.items() if name != "default"]
        (tmp_path / "users.acl").write_text("".join(lines))
        return f"aclfile {tmp_path / 'users.acl'}"

    return write


@contextlib.contextmanager
def exporting(directory, container, server):
    """The exporter with the arguments of this container, where it would be ready; gives its port."""
    tool, port = REPOSITORY / "build/release/valkey-tenants", free_port()
    if not tool.exists():
        pytest.skip("build/release/valkey-tenants is not built")
    (directory / "password").write_text(PASSWORD)
    places = {"/etc/valkey-tenants/password": str(directory / "password"), "6379": str(server.port), "0.0.0.0:10911": f"0.0.0.0:{port}"}
    assert set(places) <= set(container["args"])
    command = [tool, *({**places, "valkey-fleet": "127.0.0.1"}.get(word, word) for word in container["args"])]
    with running(command, directory / "exporter.log", f"http://127.0.0.1:{port}/-/ready"):
        assert fetch(f"http://127.0.0.1:{port}/-/healthy")
        yield port


def metrics(port):
    return Metrics(fetch(f"http://127.0.0.1:{port}/metrics"))


@pytest.fixture
def release(launch, module, tmp_path, users_file):
    """(server, port of the exporter beside it), as the chart would start them with the values."""
    lines = [line.replace("/modules/tenants.so", str(module)) for line in VALUES["valkeyConfig"].splitlines()]
    server = launch(loading=None, lines=[*lines, users_file(USERS["chart"])])
    server.session("app1", PASSWORD).call("SET", "app1:key", "value")
    with exporting(tmp_path, SIDECAR, server) as port:
        yield server, port


def test_a_server_starts_with_the_values_and_its_exporter_is_ready(release):
    server, port = release
    for name, value in re.findall(r"^(tenants\.\S+) (\S+)$", VALUES["valkeyConfig"], re.MULTILINE):
        assert server.admin.call("CONFIG", "GET", name) == [name.encode(), value.encode()]
    assert "NOPERM" in str(server.session("app1", PASSWORD).outcome("SET", "app2:key", "value"))
    page = metrics(port)
    assert page.one("valkey_tenant_up") == 1
    assert {"app1", "default", "valkey-tenants"} <= page.labels("valkey_tenant_connections", "tenant")


def test_a_cluster_starts_with_the_resource_and_one_exporter_reads_all_of_it(launch, tmp_path, users_file):
    [patch] = CLUSTER["spec"]["containers"]
    assert (patch["name"], patch["args"]) == ("server", ["--loadmodule", IN_THE_IMAGE])  # which is how `launch` loads it
    settings = [f"{name} {value}" for name, value in sorted(CLUSTER["spec"]["config"].items())]
    nodes = Cluster(launch, 3, *settings, users_file(USERS["operator"])).nodes
    for name, value in CLUSTER["spec"]["config"].items():
        assert nodes[0].admin.call("CONFIG", "GET", name) == [name.encode(), value.encode()]
    with exporting(tmp_path, ALONE, nodes[1]) as port:
        up = lambda: {dict(labels)["node"]: value for labels, value in metrics(port).samples["valkey_tenant_up"].items()}  # noqa: E731
        wait_until(lambda: up() == {f"127.0.0.1:{node.port}": 1 for node in nodes}, lambda: f"each node to be read, {up()}")


def snake_case(rules):
    return [{re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name): value for name, value in rule.items()} for rule in rules]


def test_prometheus_gets_one_job_and_each_pod_as_a_node_and_the_rules_add_them_up(release, tmp_path):
    """Both pods are the same exporter here. The labels that the operator and Kubernetes add are given; the rest is the monitor's."""
    server, port = release
    [endpoint] = MONITOR["spec"]["podMetricsEndpoints"]
    given = {"__meta_kubernetes_namespace": "shop", "__meta_kubernetes_pod_label_app_kubernetes_io_instance": "fleet", "namespace": "shop"}
    job = {
        "job_name": "podMonitor/shop/valkey-tenants/0",
        "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": {**given, "pod": f"fleet-valkey-{number}"}} for number in (0, 1)],
        "relabel_configs": snake_case(endpoint["relabelings"]),
        "metric_relabel_configs": snake_case(endpoint["metricRelabelings"]),
    }
    rules = tmp_path / "rules.yml"
    rules.write_text(json.dumps(read("prometheusrule.yaml")["spec"]))
    config = f"rule_files: [{rules}]\nscrape_configs: {json.dumps([job])}"
    with prometheus(tmp_path, config, scrape_seconds=2) as storage:
        wait_until(lambda: len(storage.query("valkey_tenant_up == 1")) == 2, lambda: storage.targets())
        found = [(labels["job"], labels["node"], labels["pod"]) for labels, _ in storage.query("valkey_tenant_keys{tenant='app1'}")]
        assert sorted(found) == [("shop/fleet", f"fleet-valkey-{number}:{server.port}", f"fleet-valkey-{number}") for number in (0, 1)]
        keys = lambda: [(labels["job"], value) for labels, value in storage.query("tenant:valkey_tenant_keys:sum{tenant='app1'}")]  # noqa: E731
        wait_until(lambda: keys() == [("shop/fleet", 2)], lambda: f"the sum over both pods to be recorded, {keys()}")
        every = lambda: storage.rules("recording") + storage.rules("alerting")  # noqa: E731
        wait_until(lambda: all(rule["health"] == "ok" for rule in every()), lambda: f"each rule to be evaluated, {every()}")


def test_the_rules_are_what_the_generator_makes_of_those_of_prometheus(tmp_path):
    loader = importlib.machinery.SourceFileLoader("generate_rules", str(KUBERNETES / "generate"))
    generate = importlib.util.module_from_spec(importlib.util.spec_from_loader("generate_rules", loader))
    loader.exec_module(generate)
    assert (KUBERNETES / "prometheusrule.yaml").read_text() == generate.text(), "run deploy/kubernetes/generate: prometheusrule.yaml is older"
    spec = read("prometheusrule.yaml")["spec"]
    sources = [yaml.safe_load(deployed(f"prometheus/{name}", {})) for name in ("rules.yml", "alerts.yml")]
    assert spec == {"groups": [group for source in sources for group in source["groups"]]}
    (tmp_path / "rules.yml").write_text(json.dumps(spec))
    done = subprocess.run([program("promtool"), "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_probe_of_the_values_is_no_refused_command_and_one_of_the_chart_would_be(launch):
    server = launch()
    if server.version < (9, 1):
        pytest.skip("an older server does not tell of refused commands")
    quick_passes(server.admin)
    client = pathlib.Path(server_binary("9")).with_name("valkey-cli")
    denied = lambda: resp3(server.admin, "TENANTS.GET", "default")["users"][0]["denied"]  # noqa: E731

    def probe(*words):
        done = subprocess.run([client, "-p", str(server.port), *words], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout.strip()

    server.admin.call("ACL", "SETUSER", "default", "resetpass", f">{PASSWORD}")
    try:
        for name in ("startupProbe", "livenessProbe"):
            command, *words = VALUES[name]["customProbe"]["exec"]["command"]
            assert command == "valkey-cli" and probe(*words) == (0, "RESET")
        assert denied() == 0
        assert probe("ping") == (0, "NOAUTH Authentication required.")
        assert denied() == 1
    finally:
        server.admin.call("ACL", "SETUSER", "default", "nopass")


@pytest.mark.long
def test_the_fields_are_those_of_kubernetes_and_of_the_prometheus_operator(tmp_path):
    """The types, which are generated from their sources, know no other names. What the chart and the operator make pods of goes into a pod."""
    folder = fetched("kubernetes", ["kubernetes-models@5.1.0", "@kubernetes-models/prometheus-operator@6.0.0", "typescript@5.6.3"])
    (tmp_path / "node_modules").symlink_to(folder / "node_modules")
    server = {"name": "valkey", "volumeMounts": VALUES["extraVolumeMounts"], **{name: VALUES[name]["customProbe"] for name in ("startupProbe", "livenessProbe")}}
    of_the_chart = {"initContainers": [INIT], "containers": [server, SIDECAR], "volumes": VALUES["extraVolumes"]}
    of_the_operator = {"containers": CLUSTER["spec"]["containers"], "securityContext": CLUSTER["spec"]["podSecurityContext"]}
    typed = [
        ("@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1", "PodMonitor", MONITOR),
        ("@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1", "PrometheusRule", read("prometheusrule.yaml")),
        ("kubernetes-models/networking.k8s.io/v1", "NetworkPolicy", read("networkpolicy.yaml")),
        ("kubernetes-models/apps/v1", "Deployment", EXPORTER),
        *(("kubernetes-models/v1", "Pod", {"apiVersion": "v1", "kind": "Pod", "spec": spec}) for spec in (of_the_chart, of_the_operator)),
    ]
    text = [f'import type {{ I{kind} as T{n} }} from "{place}/{kind}";\nexport const c{n}: T{n} = {json.dumps(resource)};\n' for n, (place, kind, resource) in enumerate(typed)]
    (tmp_path / "files.ts").write_text("".join(text))
    options = "--noEmit --strict --skipLibCheck --module es2022 --moduleResolution bundler --target es2022".split()
    done = subprocess.run(["node", "node_modules/typescript/bin/tsc", *options, "files.ts"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_of_the_chart_and_the_operator_only_names_are_used_that_were_read_there():
    assert set(VALUES) == CHART_VALUES and set(VALUES["auth"]) <= CHART_AUTH
    assert (CLUSTER["apiVersion"], CLUSTER["kind"]) == ("valkey.io/v1alpha1", "ValkeyCluster")
    assert set(CLUSTER["spec"]) <= CLUSTER_SPEC
    for user in CLUSTER["spec"]["users"]:
        assert set(user) <= CLUSTER_USER and user["passwordSecret"] == {"name": "valkey-users", "keys": [user["name"]]}


@pytest.mark.parametrize("container", [SIDECAR, INIT, ALONE], ids=lambda container: container["name"])
def test_a_container_may_do_nothing_but_what_it_needs(container):
    allowed = container["securityContext"]
    assert allowed.pop("runAsUser") > 0 and allowed.pop("runAsGroup") > 0
    assert allowed == {
        "runAsNonRoot": True, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    assert set(container["resources"]["requests"]) == {"cpu", "memory"} and "memory" in container["resources"]["limits"]


def test_the_operators_servers_may_not_either():
    [patch] = CLUSTER["spec"]["containers"]
    assert patch["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    pod = CLUSTER["spec"]["podSecurityContext"]
    assert pod["runAsNonRoot"] and pod["runAsUser"] > 0 and pod["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize("name", FILES)
def test_no_file_holds_a_secret(name):
    text = (KUBERNETES / name).read_text()
    assert yaml.safe_load(text)
    assert not re.search(r"kind: Secret\b|stringData|_AUTH\b|--askpass", text)
    for rules in [*USERS["chart"].values(), *USERS["operator"].values()]:
        assert not re.search(r"(^| )[>#]|nopass", rules), "a password would be in the rules"


@pytest.mark.parametrize("container, volumes", [WITH_VOLUMES[0], WITH_VOLUMES[2]], ids=["beside", "alone"])
def test_the_password_is_a_file_of_the_secret_and_not_on_the_command_line(container, volumes):
    words = container["args"]
    user, path = (words[words.index(option) + 1] for option in ("--user", "--password-file"))
    assert not {"-u", "--uri", "--targets"} & set(words) and "env" not in container
    [mount] = container["volumeMounts"]
    [secret] = [volume["secret"] for volume in volumes if volume["name"] == mount["name"]]
    assert mount["readOnly"] and path == f"{mount['mountPath']}/{secret['items'][0]['path']}"
    assert (secret["secretName"], secret["items"][0]["key"]) == (VALUES["auth"]["usersExistingSecret"], user)
    assert user in USERS["chart"] and secret["defaultMode"] == 0o440


def test_users_may_do_the_same_wherever_they_are_told_of():
    shipped = re.findall(r"^user (\S+) on >\S+ (.*)$", deployed("valkey.conf", {}), re.MULTILINE)
    assert USERS["chart"] == USERS["operator"]
    assert {name: rules for name, rules in shipped if name in USERS["chart"]} == {name: rules for name, rules in USERS["chart"].items() if name != "default"}


def test_volumes_images_and_the_module_are_where_they_are_looked_for():
    for container, volumes in WITH_VOLUMES:
        assert {mount["name"] for mount in container["volumeMounts"]} <= {volume["name"] for volume in volumes}
    [server] = VALUES["extraVolumeMounts"]
    [init] = INIT["volumeMounts"]
    assert (server["name"], server["mountPath"], server["readOnly"]) == (init["name"], init["mountPath"], True)
    assert INIT["command"][-2:] == [IN_THE_IMAGE, f"{init['mountPath']}/tenants.so"]
    assert f"loadmodule {init['mountPath']}/tenants.so\n" in VALUES["valkeyConfig"]
    recipe = deployed("container/Containerfile", {})
    assert f"/source/build/release/tenants.so {IN_THE_IMAGE}\n" in recipe and 'ENTRYPOINT ["valkey-tenants"]' in recipe
    built = dict(re.findall(r"^#     podman build .* --target (\S+) -t (\S+) \.$", recipe, re.MULTILINE))
    assert (INIT["image"], CLUSTER["spec"]["image"]) == (built["valkey"], built["valkey"])
    assert (SIDECAR["image"], ALONE["image"]) == (built["valkey-tenants"], built["valkey-tenants"])


def test_the_port_is_the_same_for_the_exporter_its_probes_prometheus_and_the_network():
    [endpoint] = MONITOR["spec"]["podMetricsEndpoints"]
    policy = read("networkpolicy.yaml")["spec"]
    assert policy["podSelector"] == MONITOR["spec"]["selector"]
    [chosen] = MONITOR["spec"]["selector"]["matchExpressions"]
    labels = EXPORTER["spec"]["template"]["metadata"]["labels"]
    assert labels[chosen["key"]] in chosen["values"] and EXPORTER["spec"]["selector"]["matchLabels"] == labels
    for container in (SIDECAR, ALONE):
        [port] = container["ports"]
        assert container["args"][-2:] == ["--web.listen-address", f"0.0.0.0:{port['containerPort']}"]
        probes = {name: probe["httpGet"] for name, probe in container.items() if name.endswith("Probe")}
        assert {probe["port"] for probe in probes.values()} == {endpoint["port"]} == {port["name"]}
        assert probes["livenessProbe"]["path"] == "/-/healthy" and probes.get("readinessProbe", {}).get("path", "/-/ready") == "/-/ready"
        [guarded] = [rule for rule in policy["ingress"] if rule["ports"] == [{"port": port["containerPort"]}]]
        assert guarded["from"]
    assert "readinessProbe" in ALONE and "readinessProbe" not in SIDECAR


def test_the_page_makes_a_password_for_every_user(tmp_path):
    commands = re.findall(r"^    (mkdir .*|for user in .*)$", README, re.MULTILINE)
    assert len(commands) == 2
    subprocess.run(["sh", "-ec", "\n".join(commands)], cwd=tmp_path, check=True)
    made = {path.name: path.read_text() for path in (tmp_path / "users").iterdir()}
    assert set(made) == set(USERS["chart"]) and all(re.fullmatch("[0-9a-f]{48}", password) for password in made.values())


def test_the_page_names_every_file_and_its_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#\s]+)[^)\s]*\)", README)
    for link in links:
        assert (KUBERNETES / link).exists(), link
    assert set(FILES) <= set(links)
