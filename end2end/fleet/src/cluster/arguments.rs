//! The command lines of a cluster's programs, and the API server's egress file. File names are relative to the cluster's folder.

use std::path::Path;

use super::{CERTIFICATE, KEY, Plan};
use crate::kubeconfig::COMPONENTS;

pub fn api_server(plan: &Plan, etcd: &str) -> Vec<String> {
    let trusts = plan.authentication.as_ref();
    let trusts = trusts.map(|file| format!("--authentication-config={}", file.display()));
    let mut args = vec![
        format!("--etcd-servers={etcd}"),
        format!("--etcd-prefix=/{}", plan.name),
        format!("--secure-port={}", plan.api_port),
        "--bind-address=127.0.0.1".into(),
        "--advertise-address=127.0.0.1".into(),
        format!("--tls-cert-file={CERTIFICATE}"),
        format!("--tls-private-key-file={KEY}"),
        format!("--tls-sni-cert-key=components.crt,components.key:{COMPONENTS}"),
        "--client-ca-file=ca.crt".into(),
        "--authorization-mode=Node,RBAC".into(),
        "--service-cluster-ip-range=10.96.0.0/16".into(),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        "--service-account-key-file=tokens.pub".into(),
        "--service-account-signing-key-file=tokens.key".into(),
        // A year: the viewer's token must outlive the longest demo.
        "--service-account-max-token-expiration=8760h".into(),
        "--allow-privileged=true".into(),
        "--kubelet-preferred-address-types=InternalIP".into(),
        "--egress-selector-config-file=egress.yaml".into(),
        "--profiling=false".into(),
    ];
    args.extend(trusts);
    args
}

/// The client limits of the defaults hold up a start with many pods: 2 000 take 100 s.
const CLIENT_LIMITS: [&str; 2] = ["--kube-api-qps=500", "--kube-api-burst=1000"];

pub fn controller_manager(plan: &Plan) -> Vec<String> {
    let mut args = vec![
        "--kubeconfig=kube-controller-manager.kubeconfig".into(),
        "--service-account-private-key-file=tokens.key".into(),
        "--root-ca-file=ca.crt".into(),
        "--use-service-account-credentials".into(),
        "--leader-elect=false".into(),
        "--secure-port=0".into(),
        "--concurrent-replicaset-syncs=20".into(),
        format!("--cluster-name={}", plan.name),
    ];
    args.extend(CLIENT_LIMITS.map(String::from));
    args
}

pub fn scheduler() -> Vec<String> {
    let mut args = vec![
        "--kubeconfig=kube-scheduler.kubeconfig".into(),
        "--leader-elect=false".into(),
        "--secure-port=0".into(),
    ];
    args.extend(CLIENT_LIMITS.map(String::from));
    args
}

pub fn kwok(plan: &Plan) -> Vec<String> {
    vec![
        "--kubeconfig=kwok.kubeconfig".into(),
        "--config=kwok.yaml".into(),
        "--manage-all-nodes=true".into(),
        format!("--cidr=10.{}.0.1/16", 100 + u16::from(plan.index)),
        "--node-ip=127.0.0.1".into(),
        format!("--node-port={}", plan.node_port),
        format!("--server-address=127.0.0.1:{}", plan.node_port),
        "--node-lease-duration-seconds=40".into(),
    ]
}

/// Sends all that the API server has for nodes and pods to [`crate::egress`].
pub fn egress_configuration(socket: &Path) -> String {
    serde_json::json!({
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{
            "name": "cluster",
            "connection": {
                "proxyProtocol": "HTTPConnect",
                "transport": { "uds": { "udsName": socket } },
            },
        }],
    })
    .to_string()
}
