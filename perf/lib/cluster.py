# SPDX-License-Identifier: Apache-2.0
"""The cluster and the policies that are in force while packets are measured: many copies of a
three-tier application, so that a packet meets address tables and rules of a realistic size."""

TIERS = ("frontend", "backend", "database")
PORTS = {"backend": 8080, "database": 5432}  # what the tier before may call


class Cluster:
    """`apps` namespaces with `replicas` pods in each of three tiers and three policies each, plus
    DNS in kube-system: 34 apps are 102 policies, and with 10 replicas 1,020 pods."""

    def __init__(self, apps=34, replicas=10, dns=4):
        self.apps = [f"app-{n}" for n in range(apps)]
        self.pods = {}  # (namespace, tier) → addresses
        for a, namespace in enumerate(self.apps):
            for t, tier in enumerate(TIERS):
                self.pods[namespace, tier] = [f"10.{64 + a}.{t}.{r + 1}" for r in range(replicas)]
        self.pods["kube-system", "dns"] = [f"10.32.0.{r + 1}" for r in range(dns)]

    def dns(self):
        return self.pods["kube-system", "dns"]

    def clients_of_dns(self):
        return [ip for (_, tier), ips in self.pods.items() if tier in ("frontend", "backend") for ip in ips]

    def snapshot(self, allow=True):
        """The v1 List. Without `allow` the same policies have no rules: they isolate, and allow nothing."""
        items = []
        for namespace in [*self.apps, "kube-system"]:
            items.append({"apiVersion": "v1", "kind": "Namespace",
                          "metadata": {"name": namespace, "labels": {"name": namespace}}})
        for number, ((namespace, tier), addresses) in enumerate(self.pods.items()):
            for replica, address in enumerate(addresses):
                items.append({
                    "apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": f"{tier}-{replica}", "namespace": namespace,
                                 "labels": {"tier": tier}},
                    "spec": {"nodeName": f"node-{(number + replica) % 16}"},
                    "status": {"phase": "Running", "podIPs": [{"ip": address}]}})
        for namespace in self.apps:
            items += [self.policy(namespace, tier, allow) for tier in TIERS]
        return {"apiVersion": "v1", "kind": "List", "items": items}

    @staticmethod
    def policy(namespace, tier, allow):
        def call(who, port):
            return {who: [{"podSelector": {"matchLabels": {"tier": port}}}],
                    "ports": [{"protocol": "TCP", "port": PORTS["backend" if port == "frontend" else port]}]}

        dns = {"to": [{"namespaceSelector": {"matchLabels": {"name": "kube-system"}}}],
               "ports": [{"protocol": "UDP", "port": 53}]}
        web = {"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 80}]}
        database = {"from": [{"podSelector": {"matchLabels": {"tier": "backend"}}}],
                    "ports": [{"protocol": "TCP", "port": PORTS["database"]}]}
        rules = {"frontend": ([web], [call("to", "backend"), dns]),
                 "backend": ([call("from", "frontend")], [call("to", "database"), dns]),
                 "database": ([database], None)}[tier]
        spec = {"podSelector": {"matchLabels": {"tier": tier}}, "policyTypes": ["Ingress"]}
        if allow:
            spec["ingress"] = rules[0]
        if rules[1] is not None:
            spec["policyTypes"].append("Egress")
            if allow:
                spec["egress"] = rules[1]
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": tier, "namespace": namespace}, "spec": spec}
