//! The statuses that [`super::kubelet`] writes, as KWOK's templates over the pod. Which variables they use is said there.

pub const NO_IMAGE: &str = r#"
{{ $reason := "ErrImagePull" }}{{ $message := $error }}
{{ range .status.containerStatuses }}{{ if eq .state.waiting.reason "ErrImagePull" }}
{{ $reason = "ImagePullBackOff" }}{{ $message = printf "Back-off pulling image %q: ErrImagePull: %s" .image $error }}
{{ end }}{{ end }}
phase: Pending
conditions:
- { type: PodReadyToStartContainers, status: "True", lastTransitionTime: {{ $since | Quote }} }
- { type: Initialized, status: "True", lastTransitionTime: {{ $since | Quote }} }
- { type: Ready, status: "False", reason: ContainersNotReady, message: {{ printf "containers with unready status: [%s]" (index .spec.containers 0).name | Quote }}, lastTransitionTime: {{ $since | Quote }} }
- { type: ContainersReady, status: "False", reason: ContainersNotReady, message: {{ printf "containers with unready status: [%s]" (index .spec.containers 0).name | Quote }}, lastTransitionTime: {{ $since | Quote }} }
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state:
    waiting: { reason: {{ $reason }}, message: {{ $message | Quote }} }
{{ end }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName false ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
startTime: {{ $begun | Quote }}
"#;

pub const WAITS: &str = r#"
phase: Pending
conditions:
- { type: Initialized, status: "True", lastTransitionTime: {{ $since | Quote }} }
- { type: Ready, status: "False", reason: ContainersNotReady, message: {{ printf "containers with unready status: [%s]" (index .spec.containers 0).name | Quote }}, lastTransitionTime: {{ $since | Quote }} }
- { type: ContainersReady, status: "False", reason: ContainersNotReady, message: {{ printf "containers with unready status: [%s]" (index .spec.containers 0).name | Quote }}, lastTransitionTime: {{ $since | Quote }}, lastProbeTime: {{ $now | Quote }} }
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state:
    waiting:
      reason: {{ $reason }}
      {{ with $message }}
      message: {{ . | Quote }}
      {{ end }}
{{ end }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
startTime: {{ $begun | Quote }}
"#;

pub const CRASHES: &str = r#"
{{ $restarts := 0 }}{{ range .status.containerStatuses }}{{ $restarts = .restartCount }}{{ end }}
{{ $waits := list "10s" "20s" "40s" "1m20s" "2m40s" "5m0s" }}
phase: Running
conditions:
- { type: PodReadyToStartContainers, status: "True", lastTransitionTime: {{ $since | Quote }} }
- { type: Initialized, status: "True", lastTransitionTime: {{ $since | Quote }} }
- { type: Ready, status: "False", reason: ContainersNotReady, message: {{ printf "containers with unready status: [%s]" (index .spec.containers 0).name | Quote }}, lastTransitionTime: {{ $since | Quote }} }
- { type: ContainersReady, status: "False", reason: ContainersNotReady, message: {{ printf "containers with unready status: [%s]" (index .spec.containers 0).name | Quote }}, lastTransitionTime: {{ $since | Quote }} }
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: {{ .image | Quote }}
  ready: false
  started: false
  restartCount: {{ add $restarts 1 }}
  state:
    waiting:
      reason: CrashLoopBackOff
      message: {{ printf "back-off %s restarting failed container=%s pod=%s_%s(%s)" (index $waits (min $restarts 5 | int)) .name $pod.metadata.name $pod.metadata.namespace $pod.metadata.uid | Quote }}
  lastState:
    terminated:
      exitCode: {{ $code }}
      reason: {{ $why }}
      {{ with $words }}
      message: {{ . | Quote }}
      {{ end }}
      startedAt: {{ $now | Quote }}
      finishedAt: {{ $now | Quote }}
{{ end }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName false ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
startTime: {{ $begun | Quote }}
"#;

pub const INIT_CRASHES: &str = r#"
{{ $restarts := 0 }}{{ range .status.initContainerStatuses }}{{ $restarts = .restartCount }}{{ end }}
{{ $waits := list "10s" "20s" "40s" "1m20s" "2m40s" "5m0s" }}
phase: Pending
conditions:
- { type: PodReadyToStartContainers, status: "True", lastTransitionTime: {{ $since | Quote }} }
- { type: Initialized, status: "False", reason: ContainersNotInitialized, message: {{ printf "containers with incomplete status: [%s]" (index .spec.initContainers 0).name | Quote }}, lastTransitionTime: {{ $since | Quote }} }
- { type: Ready, status: "False", reason: ContainersNotReady, message: {{ printf "containers with unready status: [%s]" (index .spec.containers 0).name | Quote }}, lastTransitionTime: {{ $since | Quote }} }
- { type: ContainersReady, status: "False", reason: ContainersNotReady, message: {{ printf "containers with unready status: [%s]" (index .spec.containers 0).name | Quote }}, lastTransitionTime: {{ $since | Quote }} }
initContainerStatuses:
{{ range .spec.initContainers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: {{ .image | Quote }}
  ready: false
  started: false
  restartCount: {{ add $restarts 1 }}
  state:
    waiting:
      reason: CrashLoopBackOff
      message: {{ printf "back-off %s restarting failed container=%s pod=%s_%s(%s)" (index $waits (min $restarts 5 | int)) .name $pod.metadata.name $pod.metadata.namespace $pod.metadata.uid | Quote }}
  lastState:
    terminated: { exitCode: {{ $code }}, reason: Error, message: {{ $words | Quote }}, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }} }
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state:
    waiting: { reason: PodInitializing }
{{ end }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName false ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
startTime: {{ $begun | Quote }}
"#;

pub const UNREADY: &str = r#"
phase: Running
conditions:
- { type: PodReadyToStartContainers, status: "True", lastTransitionTime: {{ $since | Quote }} }
- { type: Initialized, status: "True", lastTransitionTime: {{ $since | Quote }} }
- { type: Ready, status: "False", reason: ContainersNotReady, message: {{ printf "containers with unready status: [%s]" (index .spec.containers 0).name | Quote }}, lastTransitionTime: {{ $since | Quote }} }
- { type: ContainersReady, status: "False", reason: ContainersNotReady, message: {{ printf "containers with unready status: [%s]" (index .spec.containers 0).name | Quote }}, lastTransitionTime: {{ $since | Quote }}, lastProbeTime: {{ $now | Quote }} }
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: {{ .image | Quote }}
  ready: false
  started: true
  restartCount: 0
  state:
    running: { startedAt: {{ $begun | Quote }} }
{{ end }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName false ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
startTime: {{ $begun | Quote }}
"#;

/// A kubelet ends the container with SIGTERM and, since it does not listen, SIGKILL: 137, and it was not memory.
pub const UNALIVE: &str = r#"
{{ $restarts := 0 }}{{ range .status.containerStatuses }}{{ $restarts = .restartCount }}{{ end }}
{{ $waits := list "10s" "20s" "40s" "1m20s" "2m40s" "5m0s" }}{{ $rests := ge (int $restarts) 3 }}
phase: Running
conditions:
- { type: PodReadyToStartContainers, status: "True", lastTransitionTime: {{ $begun | Quote }} }
- { type: Initialized, status: "True", lastTransitionTime: {{ $begun | Quote }} }
{{ range list "Ready" "ContainersReady" }}
{{ if $rests }}
- { type: {{ . }}, status: "False", reason: ContainersNotReady, message: {{ printf "containers with unready status: [%s]" (index $pod.spec.containers 0).name | Quote }}, lastTransitionTime: {{ $since | Quote }} }
{{ else }}
- { type: {{ . }}, status: "True", lastTransitionTime: {{ $begun | Quote }} }
{{ end }}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: {{ .image | Quote }}
  ready: {{ not $rests }}
  started: {{ not $rests }}
  restartCount: {{ add $restarts 1 }}
  state:
    {{ if $rests }}
    waiting:
      reason: CrashLoopBackOff
      message: {{ printf "back-off %s restarting failed container=%s pod=%s_%s(%s)" (index $waits (min $restarts 5 | int)) .name $pod.metadata.name $pod.metadata.namespace $pod.metadata.uid | Quote }}
    {{ else }}
    running: { startedAt: {{ $now | Quote }} }
    {{ end }}
  lastState:
    terminated: { exitCode: 137, reason: Error, startedAt: {{ $begun | Quote }}, finishedAt: {{ $now | Quote }} }
{{ end }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName false ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
startTime: {{ $begun | Quote }}
"#;
