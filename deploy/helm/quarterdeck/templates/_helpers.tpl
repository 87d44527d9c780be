{{- define "quarterdeck.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "quarterdeck.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "quarterdeck.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "quarterdeck.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "quarterdeck.selector" -}}
app.kubernetes.io/name: {{ include "quarterdeck.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "quarterdeck.labels" -}}
{{ include "quarterdeck.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "quarterdeck.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{- define "quarterdeck.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "quarterdeck.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "quarterdeck.claim" -}}
{{- default (printf "%s-data" (include "quarterdeck.fullname" .)) .Values.database.sqlite.existingClaim }}
{{- end }}

{{/* "true" where the pods need a token of this cluster. */}}
{{- define "quarterdeck.needsToken" -}}
{{- if and .Values.rbac.create (or .Values.rbac.inCluster .Values.rbac.secretRefs .Values.rbac.serviceProxies) }}true{{ else }}false{{ end }}
{{- end }}

{{/* The path below which the console is published: `/`, or `/console`. */}}
{{- define "quarterdeck.path" -}}
{{- $path := trimSuffix "/" (urlParse .Values.publicUrl).path }}
{{- default "/" $path }}
{{- end }}

{{- define "quarterdeck.host" -}}
{{- (urlParse .Values.publicUrl).hostname }}
{{- end }}

{{/* What cannot be meant is refused here, with the way out. */}}
{{- define "quarterdeck.check" -}}
{{- $sqlite := eq .Values.database.engine "sqlite" }}
{{- if not .Values.publicUrl }}
{{- fail "publicUrl is missing: the https address by which people reach the console, such as https://ops.example" }}
{{- end }}
{{- if and (hasPrefix "http://" .Values.publicUrl) (not .Values.insecureHttp) }}
{{- fail "publicUrl is plain http: publish the console over https, or set insecureHttp if you mean it" }}
{{- end }}
{{- if and $sqlite (gt (int .Values.web.replicas) 1) }}
{{- fail "web.replicas is more than 1, and a SQLite file serves one pod: set database.engine to postgres" }}
{{- end }}
{{- if and $sqlite .Values.worker.enabled }}
{{- fail "worker.enabled needs database.engine postgres: a SQLite file is held by the one pod that serves from it" }}
{{- end }}
{{- if and .Values.worker.enabled .Values.readOnly }}
{{- fail "worker.enabled and readOnly contradict each other: a worker changes things" }}
{{- end }}
{{- if and (not $sqlite) (not .Values.database.postgres.existingSecret) }}
{{- fail "database.postgres.existingSecret is missing: the Secret that holds the URL of the database" }}
{{- end }}
{{- if and (not $sqlite) (not .Values.vault.existingSecret) }}
{{- fail "vault.existingSecret is missing: replicas on postgres share a key ring; `quarterdeck keys new` prints one" }}
{{- end }}
{{- if and .Values.oidc.issuer (not .Values.oidc.clientId) }}
{{- fail "oidc.clientId is missing: the name under which the provider knows this console" }}
{{- end }}
{{- if and (not .Values.oidc.issuer) (or .Values.oidc.clientId .Values.oidc.existingSecret .Values.oidc.grants .Values.oidc.caConfigMap) }}
{{- fail "oidc.clientId, oidc.existingSecret, oidc.grants and oidc.caConfigMap mean nothing without oidc.issuer" }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.parentRefs is missing: the Gateway that the route belongs to" }}
{{- end }}
{{- $own := list "listen" "metrics_listen" "public_url" "insecure_http" "trusted_proxies" "environment" "read_only" "database_url" "database_connections" "vault_key_file" "vault_keys" "oidc_issuer" "oidc_client_id" "oidc_client_secret" "oidc_grant" "oidc_ca_file" "egress_ca_files" "workers" "queues" "shutdown_grace" "log_format" "demo_users" }}
{{- range $key, $_ := .Values.settings }}
{{- if has $key $own }}
{{- fail (printf "settings.%s has a value of its own in this chart, or is secret, or is not for a cluster; see values.yaml" $key) }}
{{- end }}
{{- end }}
{{- end }}

{{/* One setting as TOML. Everything is text to the console, but lists. */}}
{{- define "quarterdeck.text" -}}
{{- if kindIs "float64" . }}{{ printf "%.0f" . | toJson }}{{ else }}{{ toString . | toJson }}{{ end }}
{{- end }}

{{- define "quarterdeck.setting" -}}
{{- $value := .value }}
{{- if kindIs "slice" $value }}
{{- $items := list }}
{{- range $value }}{{ $items = append $items (include "quarterdeck.text" .) }}{{ end -}}
{{ .key }} = [{{ join ", " $items }}]
{{- else -}}
{{ .key }} = {{ include "quarterdeck.text" $value }}
{{- end }}
{{- end }}

{{- define "quarterdeck.config" -}}
{{- $all := dict "listen" "0.0.0.0:7080" "metrics_listen" "0.0.0.0:7081" "public_url" .Values.publicUrl "log_format" "json" "shutdown_grace" .Values.shutdownGraceSeconds }}
{{- if .Values.insecureHttp }}{{ $_ := set $all "insecure_http" "yes" }}{{ end }}
{{- if .Values.readOnly }}{{ $_ := set $all "read_only" "yes" }}{{ end }}
{{- with .Values.trustedProxies }}{{ $_ := set $all "trusted_proxies" . }}{{ end }}
{{- with .Values.environment }}{{ $_ := set $all "environment" . }}{{ end }}
{{- if eq .Values.database.engine "postgres" }}
{{- $_ := set $all "database_connections" .Values.database.postgres.connections }}
{{- else }}
{{- $_ := set $all "database_url" "sqlite:/var/lib/quarterdeck/quarterdeck.db" }}
{{- end }}
{{- with .Values.oidc }}
{{- if .issuer }}
{{- $_ := set $all "oidc_issuer" .issuer }}
{{- $_ := set $all "oidc_client_id" .clientId }}
{{- with .grants }}{{ $_ := set $all "oidc_grant" . }}{{ end }}
{{- if .caConfigMap }}{{ $_ := set $all "oidc_ca_file" (printf "/etc/quarterdeck/oidc-ca/%s" .caKey) }}{{ end }}
{{- end }}
{{- end }}
{{- with .Values.egress }}
{{- if .caConfigMap }}{{ $_ := set $all "egress_ca_files" (list (printf "/etc/quarterdeck/egress-ca/%s" .caKey)) }}{{ end }}
{{- end }}
{{- $all = merge $all .Values.settings }}
{{- $lines := list }}
{{- range $key := keys $all | sortAlpha }}
{{- $lines = append $lines (include "quarterdeck.setting" (dict "key" $key "value" (get $all $key))) }}
{{- end }}
{{- join "\n" $lines }}
{{- end }}

{{/* What is secret comes by variables: a mounted Secret can be read by the pod's group, and the console refuses a key
file that can be read by anybody but its owner. */}}
{{- define "quarterdeck.secretEnv" -}}
{{- if eq .Values.database.engine "postgres" }}
- name: QUARTERDECK_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.database.postgres.existingSecret }}
      key: {{ .Values.database.postgres.key }}
{{- end }}
{{- if .Values.vault.existingSecret }}
- name: QUARTERDECK_VAULT_KEYS
  valueFrom:
    secretKeyRef:
      name: {{ .Values.vault.existingSecret }}
      key: {{ .Values.vault.key }}
{{- end }}
{{- if .Values.oidc.existingSecret }}
- name: QUARTERDECK_OIDC_CLIENT_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ .Values.oidc.existingSecret }}
      key: {{ .Values.oidc.key }}
{{- end }}
{{- end }}

{{- define "quarterdeck.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
# Changed as a whole only where the volume's own folder has another owner: the key file must stay its owner's alone.
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "quarterdeck.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* A pod of the console. Takes root, component, pod (its values), args, env, probe (the port), and sqlite. */}}
{{- define "quarterdeck.pod" -}}
{{- $root := .root }}
{{- $pod := .pod -}}
metadata:
  labels:
    {{- include "quarterdeck.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
    {{- with $pod.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    checksum/config: {{ include "quarterdeck.config" $root | sha256sum }}
    {{- with $pod.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "quarterdeck.serviceAccount" $root }}
  automountServiceAccountToken: {{ include "quarterdeck.needsToken" $root }}
  # Variables that Kubernetes makes of the names of services look like settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add (int $root.Values.shutdownGraceSeconds) 20 }}
  securityContext:
    {{- include "quarterdeck.podSecurity" $root | nindent 4 }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pod.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $pod.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pod.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pod.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "quarterdeck.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ .component }}
  containers:
    - name: quarterdeck
      image: {{ include "quarterdeck.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [{{ .args }}]
      workingDir: /tmp
      env:
        - name: QUARTERDECK_CONFIG
          value: /etc/quarterdeck/config/quarterdeck.toml
        {{- with include "quarterdeck.secretEnv" $root | trim }}{{ . | nindent 8 }}{{ end }}
        {{- .env | nindent 8 }}
        {{- with $pod.extraEnv }}{{ toYaml . | nindent 8 }}{{ end }}
      ports:
        {{- if eq .probe "http" }}
        - name: http
          containerPort: 7080
        {{- end }}
        - name: metrics
          containerPort: 7081
      startupProbe:
        httpGet: { path: /healthz, port: {{ .probe }} }
        periodSeconds: 2
        # A SQLite file may have to be brought up to date first.
        failureThreshold: 150
      livenessProbe:
        httpGet: { path: /healthz, port: {{ .probe }} }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /readyz, port: {{ .probe }} }
        periodSeconds: 5
        # It gives each thing that it asks two seconds.
        timeoutSeconds: 3
        failureThreshold: 2
      lifecycle:
        preStop:
          # Until those who send traffic here have heard of it.
          sleep:
            seconds: 5
      resources: {{ toYaml $pod.resources | nindent 8 }}
      securityContext:
        {{- include "quarterdeck.containerSecurity" $root | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/quarterdeck/config
          readOnly: true
        - name: tmp
          mountPath: /tmp
        {{- if .sqlite }}
        - name: data
          mountPath: /var/lib/quarterdeck
        {{- end }}
        {{- if $root.Values.oidc.caConfigMap }}
        - name: oidc-ca
          mountPath: /etc/quarterdeck/oidc-ca
          readOnly: true
        {{- end }}
        {{- if $root.Values.egress.caConfigMap }}
        - name: egress-ca
          mountPath: /etc/quarterdeck/egress-ca
          readOnly: true
        {{- end }}
        {{- with $pod.extraVolumeMounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "quarterdeck.fullname" $root }}
    - name: tmp
      emptyDir:
        sizeLimit: 256Mi
    {{- if .sqlite }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ include "quarterdeck.claim" $root }}
    {{- end }}
    {{- if $root.Values.oidc.caConfigMap }}
    - name: oidc-ca
      configMap:
        name: {{ $root.Values.oidc.caConfigMap }}
    {{- end }}
    {{- if $root.Values.egress.caConfigMap }}
    - name: egress-ca
      configMap:
        name: {{ $root.Values.egress.caConfigMap }}
    {{- end }}
    {{- with $pod.extraVolumes }}{{ toYaml . | nindent 4 }}{{ end }}
{{- end }}
