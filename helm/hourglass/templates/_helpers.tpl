{{- define "hourglass.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "hourglass.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "hourglass.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "hourglass.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels that select pods. Argument: dict root, component, and pool for workers. */}}
{{- define "hourglass.selector" -}}
app.kubernetes.io/name: {{ include "hourglass.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .pool }}
hourglass.dev/pool: {{ . }}
{{- end }}
{{- end }}

{{- define "hourglass.labels" -}}
{{ include "hourglass.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Argument: dict root, target */}}
{{- define "hourglass.image" -}}
{{ printf "%s/hourglass-%s:%s" .root.Values.image.registry .target (default .root.Chart.AppVersion .root.Values.image.tag) }}
{{- end }}

{{- define "hourglass.redisHost" -}}
{{- if .Values.redis.host }}
{{- .Values.redis.host }}
{{- else if .Values.redis.single.enabled }}
{{- printf "%s-redis" (include "hourglass.fullname" .) }}
{{- else }}
{{- fail "redis.host: name the host of a Redis, or set redis.single.enabled for trying" }}
{{- end }}
{{- end }}

{{/* Name of the Secret with the password of Redis; empty: none */}}
{{- define "hourglass.redisSecret" -}}
{{- if .Values.redis.existingSecret.name }}
{{- .Values.redis.existingSecret.name }}
{{- else if and (not .Values.redis.host) .Values.redis.single.enabled }}
{{- printf "%s-redis" (include "hourglass.fullname" .) }}
{{- end }}
{{- end }}

{{/* Name of the Secret with the operator's key; empty: no keys */}}
{{- define "hourglass.adminSecret" -}}
{{- if contains "keys" .Values.auth.mode }}
{{- default (printf "%s-admin-key" (include "hourglass.fullname" .)) .Values.auth.existingSecret.name }}
{{- end }}
{{- end }}

{{- define "hourglass.validate" -}}
{{- if and (not .Values.store.url) (not .Values.store.existingClaim) }}
{{- fail "store.url: name a bucket (s3://bucket/prefix), or a claim that all pods can mount in store.existingClaim" }}
{{- end }}
{{- if and .Values.store.url .Values.store.existingClaim }}
{{- fail "store.existingClaim: there is a bucket in store.url already; use one of them" }}
{{- end }}
{{- if and .Values.redis.host .Values.redis.single.enabled }}
{{- fail "redis.single.enabled: there is a Redis in redis.host already; use one of them" }}
{{- end }}
{{- if and .Values.redis.caSecret.name (not .Values.redis.tls) }}
{{- fail "redis.caSecret: it is only used with redis.tls" }}
{{- end }}
{{- if and .Values.tls.clientCaSecret.name (not .Values.tls.secret) }}
{{- fail "tls.clientCaSecret: name the certificate of the gateway in tls.secret too" }}
{{- end }}
{{- if and (contains "oidc" .Values.auth.mode) (or (not .Values.auth.oidc.issuer) (not .Values.auth.oidc.audience)) }}
{{- fail "auth.oidc: name the issuer and the audience of its tokens" }}
{{- end }}
{{- $names := dict }}
{{- range .Values.workers }}
{{- if hasKey $names .name }}
{{- fail (printf "workers: two pools are named %s" .name) }}
{{- end }}
{{- $_ := set $names .name true }}
{{- end }}
{{- end }}

{{/* Environment that gateway and workers share. */}}
{{- define "hourglass.environment" -}}
- name: HOURGLASS_HOST
  value: 0.0.0.0
- name: HOURGLASS_METRICS_HOST
  value: 0.0.0.0
{{- with include "hourglass.redisSecret" . }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $.Values.redis.existingSecret.key }}
{{- end }}
- name: REDIS_URL
  value: {{ printf "%s://%s%s@%s:%v/%v" (ternary "rediss" "redis" .Values.redis.tls) .Values.redis.username (ternary ":$(REDIS_PASSWORD)" "" (ne (include "hourglass.redisSecret" .) "")) (include "hourglass.redisHost" .) .Values.redis.port .Values.redis.database | replace "//@" "//" | quote }}
{{- if .Values.redis.caSecret.name }}
- name: HOURGLASS_REDIS_CA
  value: /certificates/redis/{{ .Values.redis.caSecret.key }}
{{- end }}
- name: HOURGLASS_QUEUE_PREFIX
  value: {{ .Values.redis.prefix }}
{{- if .Values.store.url }}
- name: HOURGLASS_STORE
  value: {{ .Values.store.url }}
- name: HOURGLASS_CACHE_DIR
  value: /data/cache
- name: AWS_REGION
  value: {{ .Values.store.region }}
{{- with .Values.store.endpoint }}
- name: HOURGLASS_S3_ENDPOINT
  value: {{ . }}
{{- end }}
- name: HOURGLASS_S3_PATH_STYLE
  value: {{ ternary "on" "off" .Values.store.pathStyle | quote }}
{{- with .Values.store.existingSecret }}
{{- if .name }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .accessKeyIdKey }}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .secretAccessKeyKey }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Where spans are sent; empty when nobody traces. */}}
{{- define "hourglass.tracing" -}}
{{- with .Values.tracing }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint }}
- name: OTEL_TRACES_SAMPLER
  value: {{ .sampler }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .ratio | quote }}
{{- if .existingSecret.name }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret.name }}
      key: {{ .existingSecret.key }}
{{- end }}
- name: NODE_NAME
  valueFrom:
    fieldRef:
      fieldPath: spec.nodeName
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ $.Release.Namespace }},k8s.pod.name=$(POD_NAME),k8s.node.name=$(NODE_NAME)
{{- end }}
{{- end }}
{{- end }}

{{/* Settings of one map as environment. */}}
{{- define "hourglass.settings" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{- define "hourglass.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "hourglass.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "hourglass.mounts" -}}
- name: data
  mountPath: /data
- name: tmp
  mountPath: /tmp
{{- if .Values.redis.caSecret.name }}
- name: redis-ca
  mountPath: /certificates/redis
  readOnly: true
{{- end }}
{{- end }}

{{- define "hourglass.volumes" -}}
- name: data
{{- if .Values.store.existingClaim }}
  persistentVolumeClaim:
    claimName: {{ .Values.store.existingClaim }}
{{- else }}
  emptyDir:
    sizeLimit: {{ .Values.store.cacheSize }}
{{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 1Gi
{{- with .Values.redis.caSecret.name }}
- name: redis-ca
  secret:
    secretName: {{ . }}
{{- end }}
{{- end }}

{{/* The gateway's certificate: environment, mounts, volumes. A whole folder is mounted, so that renewed files arrive. */}}
{{- define "hourglass.tls.environment" -}}
{{- if .Values.tls.secret }}
- name: HOURGLASS_TLS_CERT
  value: /certificates/gateway/tls.crt
- name: HOURGLASS_TLS_KEY
  value: /certificates/gateway/tls.key
- name: HOURGLASS_METRICS_TLS
  value: 'off'
{{- if .Values.tls.clientCaSecret.name }}
- name: HOURGLASS_TLS_CLIENT_CA
  value: /certificates/clients/{{ .Values.tls.clientCaSecret.key }}
{{- end }}
{{- end }}
{{- end }}

{{- define "hourglass.tls.mounts" -}}
{{- if .Values.tls.secret }}
- name: certificate
  mountPath: /certificates/gateway
  readOnly: true
{{- if .Values.tls.clientCaSecret.name }}
- name: client-ca
  mountPath: /certificates/clients
  readOnly: true
{{- end }}
{{- end }}
{{- end }}

{{- define "hourglass.tls.volumes" -}}
{{- with .Values.tls }}
{{- if .secret }}
- name: certificate
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
{{- if .clientCaSecret.name }}
- name: client-ca
  secret:
    secretName: {{ .clientCaSecret.name }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "hourglass.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "hourglass.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Hosts that requests may name: the Services' names, ingress and routes, and what the values add. */}}
{{- define "hourglass.gateway.hosts" -}}
{{- $service := printf "%s-gateway" (include "hourglass.fullname" .) }}
{{- $hosts := list $service (printf "%s.%s" $service .Release.Namespace) (printf "%s.%s.svc" $service .Release.Namespace) (printf "%s.%s.svc.cluster.local" $service .Release.Namespace) }}
{{- if .Values.gateway.ingress.enabled }}
{{- $hosts = append $hosts .Values.gateway.ingress.host }}
{{- end }}
{{- if .Values.gateway.route.enabled }}
{{- $hosts = concat $hosts .Values.gateway.route.hostnames }}
{{- end }}
{{- concat $hosts .Values.gateway.allowedHosts | compact | uniq | join "," }}
{{- end }}

{{/* Ingress rule for Prometheus and for probes, which come from the node. */}}
{{- define "hourglass.scraping" -}}
- ports:
    - { port: metrics }
  from:
  {{- with .Values.networkPolicy.scrapers }}
    {{- toYaml . | nindent 4 }}
  {{- else }}
    - namespaceSelector: {}
  {{- end }}
{{- end }}

{{/* Egress rules: names, Redis, the bucket. */}}
{{- define "hourglass.egress" -}}
- ports:
    - { port: 53, protocol: UDP }
    - { port: 53, protocol: TCP }
- ports:
    - { port: {{ .Values.redis.port }} }
  {{- if and (not .Values.redis.host) .Values.redis.single.enabled }}
  to:
    - podSelector:
        matchLabels: {{- include "hourglass.selector" (dict "root" . "component" "redis") | nindent 10 }}
  {{- else if .Values.networkPolicy.redisTo }}
  to: {{- toYaml .Values.networkPolicy.redisTo | nindent 4 }}
  {{- end }}
{{- if .Values.store.url }}
- ports:
    {{- range .Values.networkPolicy.storePorts }}
    - { port: {{ . }} }
    {{- end }}
{{- end }}
{{- with .Values.tracing.endpoint }}
{{- $url := urlParse . }}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) }}
- ports:
    - { port: {{ $port | default (ternary "443" "80" (eq $url.scheme "https")) }} }
{{- end }}
{{- end }}

{{/* Values of one pool of workers over the defaults of a pool. */}}
{{- define "hourglass.poolDefaults" -}}
image: worker
queues: [cpu, any]
replicas: 1
concurrency: 1
settings: {}
keda: { enabled: false, kind: object, minReplicas: 0, maxReplicas: 4, pollingSeconds: 10, cooldownSeconds: 120 }
resources:
  requests: { cpu: '1', memory: 1Gi }
  limits: { memory: 4Gi }
gpu: { resource: '', count: 1 }
runtimeClassName: ''
nodeSelector: {}
tolerations: []
affinity: {}
podAnnotations: {}
podLabels: {}
{{- end }}

{{/* The pod of a pool. Argument: dict root, pool, once (ends after one job) */}}
{{- define "hourglass.workerPod" -}}
{{- $root := .root }}
{{- $pool := .pool }}
metadata:
  labels:
    {{- include "hourglass.labels" (dict "root" $root "component" "worker" "pool" $pool.name) | nindent 4 }}
    {{- with $pool.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $pool.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "hourglass.fullname" $root }}-worker
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- if .once }}
  restartPolicy: Never
  {{- end }}
  securityContext: {{- include "hourglass.podSecurity" $root | nindent 4 }}
  {{- include "hourglass.pullSecrets" $root | nindent 2 }}
  {{- with $pool.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  # On SIGTERM a worker writes a checkpoint and hands its job over, which takes seconds.
  terminationGracePeriodSeconds: 30
  containers:
    - name: worker
      image: {{ include "hourglass.image" (dict "root" $root "target" $pool.image) }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [worker]
      securityContext: {{- include "hourglass.containerSecurity" $root | nindent 8 }}
      env:
        {{- include "hourglass.environment" $root | nindent 8 }}
        - name: HOURGLASS_WORKER_QUEUES
          value: {{ join "," $pool.queues | quote }}
        - name: HOURGLASS_WORKER_CONCURRENCY
          value: {{ $pool.concurrency | quote }}
        {{- if .once }}
        - name: HOURGLASS_WORKER_JOBS
          value: '1'
        {{- if not (hasKey (merge (dict) $pool.settings $root.Values.settings) "HOURGLASS_WORKER_IDLE") }}
        - name: HOURGLASS_WORKER_IDLE
          value: 5m
        {{- end }}
        {{- end }}
        {{- include "hourglass.tracing" $root | nindent 8 }}
        {{- include "hourglass.settings" (merge (dict) $pool.settings $root.Values.settings) | nindent 8 }}
      ports:
        - { name: metrics, containerPort: 9464 }
      startupProbe:
        httpGet: { path: /livez, port: metrics }
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /livez, port: metrics }
        periodSeconds: 10
        timeoutSeconds: 3
      resources:
        {{- $resources := deepCopy $pool.resources }}
        {{- with $pool.gpu }}
        {{- if .resource }}
        {{- $_ := set $resources "limits" (merge (dict .resource .count) (default (dict) $resources.limits)) }}
        {{- end }}
        {{- end }}
        {{- toYaml $resources | nindent 8 }}
      volumeMounts: {{- include "hourglass.mounts" $root | nindent 8 }}
  volumes: {{- include "hourglass.volumes" $root | nindent 4 }}
  {{- include "hourglass.scheduling" $pool | nindent 2 }}
{{- end }}

{{/* KEDA's triggers of a pool: what waits and runs in each of its queues. Argument: dict root, pool, states */}}
{{- define "hourglass.kedaTriggers" -}}
{{- $root := .root }}
{{- $states := .states }}
{{- range $queue := .pool.queues }}
{{- range $state := $states }}
- type: redis
  name: {{ $queue }}{{ $state }}
  metadata:
    address: {{ include "hourglass.redisHost" $root }}:{{ $root.Values.redis.port }}
    {{- with $root.Values.redis.username }}
    username: {{ . }}
    {{- end }}
    databaseIndex: {{ $root.Values.redis.database | quote }}
    enableTLS: {{ $root.Values.redis.tls | quote }}
    # A sorted set: KEDA counts its members. The name is keyBase of src/queue/redis.ts, in braces for Redis clusters.
    listName: {{ printf "{%s}:queue:%s:%s" $root.Values.redis.prefix $queue $state | quote }}
    listLength: '1'
  {{- if include "hourglass.redisSecret" $root }}
  authenticationRef:
    name: {{ include "hourglass.fullname" $root }}-redis
  {{- end }}
{{- end }}
{{- end }}
{{- end }}
