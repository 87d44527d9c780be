//! Images that cannot be pulled: they do not exist, we may not have them, or the registry says something else.

use app::fleet::watched::{Cause, Severity};

use super::{Facts, Findings, Tell as _, about_pod};
use crate::fleet::watch::slim::{Container, ContainerState, Pod};

const WAITING: &[&str] = &[
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "ImageInspectError",
    "SignatureValidationFailed",
];

/// What registries say, in order: the first that fits counts. Docker Hub says both of an image that is not there, so
/// that one stays undecided.
const SAYS: &[(&str, Cause)] = &[
    ("repository does not exist or may require", Cause::ImagePull),
    ("may require 'docker login'", Cause::ImagePull),
    ("not found", Cause::ImageMissing),
    ("manifest unknown", Cause::ImageMissing),
    ("name unknown", Cause::ImageMissing),
    ("couldn't parse image", Cause::ImageMissing),
    ("invalid reference format", Cause::ImageMissing),
    ("unauthorized", Cause::ImageDenied),
    ("authentication required", Cause::ImageDenied),
    ("no basic auth credentials", Cause::ImageDenied),
    ("403 forbidden", Cause::ImageDenied),
    ("401 unauthorized", Cause::ImageDenied),
    ("access denied", Cause::ImageDenied),
    ("access forbidden", Cause::ImageDenied),
    ("denied:", Cause::ImageDenied),
];

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    for pod in facts.live_pods() {
        for container in pod.init.iter().chain(&pod.containers) {
            if let ContainerState::Waiting { reason, message } = &container.state
                && WAITING.contains(&&**reason)
            {
                let message = message.as_deref().unwrap_or_default();
                one(facts, findings, pod, container, reason, message);
            }
        }
    }
}

fn one(
    facts: &Facts,
    findings: &mut Findings,
    pod: &Pod,
    container: &Container,
    reason: &str,
    message: &str,
) {
    let specs = pod.template.init.iter().chain(&pod.template.containers);
    let image = specs
        .into_iter()
        .find(|spec| spec.name == container.name)
        .map_or("its image", |spec| &*spec.image);
    let event = facts.event_of_pod(pod, |event| {
        &*event.reason == "Failed"
            && event.message.contains("pull")
            && event.message.contains(image)
    });
    let told = event.map(|event| event.message.to_lowercase()).unwrap_or_default();
    let said = format!("{} {told}", message.to_lowercase());
    let cause = if reason == "InvalidImageName" {
        Cause::ImageMissing
    } else {
        SAYS.iter().find(|(words, _)| said.contains(words)).map_or(Cause::ImagePull, |(_, c)| *c)
    };
    let secrets: Vec<&str> = pod.template.pull_secrets.iter().map(|name| &**name).collect();
    let secrets = if secrets.is_empty() { "none".to_owned() } else { secrets.join(", ") };
    let (says, next) = match cause {
        Cause::ImageMissing => (
            format!("Container {} does not start: there is no image {image}.", container.name),
            "Check the image's name and tag for a typing error, and that it was pushed.".to_owned(),
        ),
        Cause::ImageDenied => (
            format!(
                "Container {} does not start: the registry does not give out {image} to this pod.",
                container.name
            ),
            "Name a pull secret for that registry in imagePullSecrets of the pod or of its service account."
                .to_owned(),
        ),
        _ => (
            format!("Container {} does not start: {image} cannot be pulled.", container.name),
            "The registry's own words below say why: the name and tag, the pull secret, or the way there."
                .to_owned(),
        ),
    };
    findings.add(
        about_pod(cause, Severity::Bad, pod)
            .says(says)
            .field(format!("spec.containers[{}].image", container.name), image)
            .field(
                format!("status.containers[{}].waiting", container.name),
                told_as(reason, message),
            )
            .field("spec.imagePullSecrets", secrets)
            .event(event)
            .next(next)
            .since(pod.meta.created),
    );
}

pub(super) fn told_as(reason: &str, message: &str) -> String {
    if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") }
}
