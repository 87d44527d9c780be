//! What goes through an API server to nodes and pods: logs, exec, port-forward, the service proxy.

use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{AttachParams, AttachedProcess, LogParams},
};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::practice::{HARBOUR, LIMIT, admin, echo_pod, eventually_in, viewer};

async fn echo() -> (Api<Pod>, String) {
    let client = admin(HARBOUR).await;
    let pod = echo_pod(&client).await;
    (Api::namespaced(client, "agents"), pod)
}

#[tokio::test]
async fn the_last_lines_of_a_log() {
    let (pods, pod) = echo().await;
    let params = LogParams { tail_lines: Some(3), timestamps: true, ..LogParams::default() };
    let text = pods.logs(&pod, &params).await.expect("a log");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    let time = lines[0].split(' ').next().expect("a first word");
    time.parse::<jiff::Timestamp>().expect("a timestamp");
}

#[tokio::test]
async fn a_followed_log_goes_on() {
    let (pods, pod) = echo().await;
    let params = LogParams { tail_lines: Some(1), follow: true, ..LogParams::default() };
    let lines = pods.log_stream(&pod, &params).await.expect("a stream").lines();
    // More than were there: the others are written while we read.
    let three = tokio::time::timeout(LIMIT, lines.take(3).try_collect::<Vec<_>>());
    let three = three.await.expect("in time").expect("lines");
    assert!(three.iter().all(|line| line.contains("component=echo")), "{three:?}");
}

async fn output(process: &mut AttachedProcess) -> (String, String) {
    let (mut out, mut err) = (process.stdout().expect("stdout"), process.stderr().expect("stderr"));
    let (mut out_text, mut err_text) = (String::new(), String::new());
    let (read_out, read_err) =
        tokio::join!(out.read_to_string(&mut out_text), err.read_to_string(&mut err_text));
    read_out.and(read_err).expect("output");
    (out_text, err_text)
}

#[tokio::test]
async fn exec_reaches_a_script_of_ours() {
    let (pods, pod) = echo().await;
    let mut process = pods.exec(&pod, ["about"], &AttachParams::default()).await.expect("exec");
    let status = process.take_status().expect("a status to come");
    let (out, err) = output(&mut process).await;
    assert_eq!((out.as_str(), err.as_str()), ("practice fleet, cluster harbour\n", ""));
    assert_eq!(status.await.and_then(|status| status.status).as_deref(), Some("Success"));
}

#[tokio::test]
async fn exec_tells_the_exit_code() {
    let (pods, pod) = echo().await;
    let command = ["sh", "-c", "echo no credentials >&2; exit 57"];
    let mut process = pods.exec(&pod, command, &AttachParams::default()).await.expect("exec");
    let status = process.take_status().expect("a status to come");
    let (out, err) = output(&mut process).await;
    assert_eq!((out.as_str(), err.as_str()), ("", "no credentials\n"));
    let status = status.await.expect("a status");
    assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"), "{status:?}");
    let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
    assert_eq!(code.and_then(|cause| cause.message.as_deref()), Some("57"));
}

#[tokio::test]
async fn exec_carries_standard_input() {
    let (pods, pod) = echo().await;
    let params = AttachParams::default().stdin(true);
    let mut process = pods.exec(&pod, ["head", "-n", "1"], &params).await.expect("exec");
    let mut stdin = process.stdin().expect("stdin");
    stdin.write_all(b"hello, pod\n").await.expect("written");
    let (out, _) = output(&mut process).await;
    assert_eq!(out, "hello, pod\n");
}

#[tokio::test]
async fn a_forwarded_port_reaches_the_program() {
    let (pods, pod) = echo().await;
    let mut forward = pods.portforward(&pod, &[8080]).await.expect("a port-forward");
    let stream = TokioIo::new(forward.take_stream(8080).expect("a stream"));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.expect("a connection");
    tokio::spawn(connection);
    let request = http::Request::get("/through/the/port")
        .header("host", "echo")
        .body(String::new())
        .expect("a request");
    let answer = tokio::time::timeout(LIMIT, sender.send_request(request))
        .await
        .expect("in time")
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    let told: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(told["path"], "/through/the/port");
}

#[tokio::test]
async fn the_service_proxy_reaches_the_program() {
    let client = admin(HARBOUR).await;
    echo_pod(&client).await;
    let path = "/api/v1/namespaces/agents/services/echo:http/proxy/some/path?a=1";
    // The endpoint slice follows the pod a moment later.
    let text = eventually_in("an endpoint of echo", async || {
        let request =
            http::Request::post(path).body(b"a body".to_vec()).map_err(kube::Error::HttpError)?;
        client.request_text(request).await.map(Some)
    });
    let answer: Value = serde_json::from_str(&text.await).expect("JSON");
    assert_eq!(answer["method"], "POST");
    assert_eq!(answer["path"], "/some/path");
    assert_eq!(answer["query"], "a=1");
    assert_eq!(answer["body"], "a body");
    assert_eq!(answer["cluster"], "harbour");
}

#[tokio::test]
async fn the_viewer_may_read_through_the_service_proxy_but_not_write() {
    let client = viewer(HARBOUR).await;
    echo_pod(&client).await;
    let path = "/api/v1/namespaces/agents/services/echo:http/proxy/";
    eventually_in("an endpoint of echo", async || {
        let request = http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
        client.request_text(request).await.map(Some)
    })
    .await;
    let request = http::Request::post(path).body(Vec::new()).expect("a request");
    let error = client.request_text(request).await.expect_err("writing is refused");
    assert!(matches!(error, kube::Error::Api(status) if status.code == 403));
}

#[tokio::test]
async fn a_pod_without_a_program_does_not_answer() {
    let client = admin(HARBOUR).await;
    let path = "/api/v1/namespaces/storefront/services/web:http/proxy/";
    let request = http::Request::get(path).body(Vec::new()).expect("a request");
    let error = client.request_text(request).await.expect_err("nothing listens there");
    assert!(matches!(error, kube::Error::Api(status) if status.code == 503));
}
