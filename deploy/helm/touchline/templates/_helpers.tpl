{{/* What the roles are, beside what values say: command, port, and the setting that names its address. */}}
{{- define "touchline.roles" -}}
stream: {command: stream, port: 18070, setting: STREAM}
edge: {command: edge, port: 18081, setting: EDGE}
indexer: {command: index, port: 18072, setting: INDEXER}
outbox: {command: outbox, port: 18073, setting: OUTBOX}
gateway: {command: gateway, port: 18080, setting: GATEWAY}
{{- end }}

{{/* Where the gateway answers people: what is below these, and these alone. Not what operators ask, /metrics for one. */}}
{{- define "touchline.below" -}}
[/v1, /assets]
{{- end }}
{{- define "touchline.pages" -}}
[/, /client.js, /ops, /nearby, /studio, /moderate, /search]
{{- end }}

{{- define "touchline.name" -}}
{{- if contains "touchline" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-touchline" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "touchline.labels" -}}
app.kubernetes.io/name: touchline
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "touchline.selector" -}}
app.kubernetes.io/name: touchline
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "touchline.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What must hold, in sentences. */}}
{{- define "touchline.check" -}}
{{- $v := .Values -}}
{{- if not (or $v.kafka.bootstrapServers $v.kafka.strimzi.cluster) -}}
{{- fail "Say where Kafka is: kafka.bootstrapServers, or kafka.strimzi.cluster." -}}
{{- end -}}
{{- if not (or $v.elasticsearch.url $v.elasticsearch.eck.name) -}}
{{- fail "Say where Elasticsearch is: elasticsearch.url, or elasticsearch.eck.name." -}}
{{- end -}}
{{- if and (or $v.ingress.enabled $v.httpRoute.enabled) (not $v.host) -}}
{{- fail "Say by which name people come: host." -}}
{{- end -}}
{{- range $role := list "stream" "indexer" "outbox" -}}
{{- $scaling := (index $v.roles $role).autoscaling -}}
{{- if and $scaling.enabled (gt (int $scaling.maxReplicas) (int $v.topics.partitions)) -}}
{{- fail (printf "roles.%s.autoscaling.maxReplicas is %d, and topics.partitions %d: more of them would have nothing to do." $role (int $scaling.maxReplicas) (int $v.topics.partitions)) -}}
{{- end -}}
{{- end -}}
{{- $gateway := $v.roles.gateway -}}
{{- if and (eq $v.attachments.store "directory") (not $v.attachments.existingClaim) (or (gt (int $gateway.replicas) 1) $gateway.autoscaling.enabled) -}}
{{- fail "Several gateways need one place for attachments: attachments.existingClaim (ReadWriteMany), or attachments.store: s3." -}}
{{- end -}}
{{- if le (int $v.roles.edge.grace) (add (int (get $v.settings "TOUCHLINE_EDGE_DRAIN_S" | default 20)) 5) -}}
{{- fail "roles.edge.grace must be longer than edge.drain_s and the five seconds before it, or viewers are thrown out." -}}
{{- end -}}
{{- end }}

{{/* The environment of every role and of the job that makes topics. */}}
{{- define "touchline.environment" -}}
{{- $v := .Values -}}
- {name: TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS, value: {{ $v.kafka.bootstrapServers | default (printf "%s-kafka-bootstrap:%d" $v.kafka.strimzi.cluster (int $v.kafka.strimzi.port)) | quote }}}
{{- range $name, $value := $v.kafka.properties }}
- {name: TOUCHLINE_KAFKA_{{ $name | upper | replace "." "_" }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- if or $v.kafka.caSecret $v.kafka.strimzi.cluster }}
- {name: TOUCHLINE_KAFKA_SSL_CA_LOCATION, value: /etc/touchline/kafka-ca/ca.crt}
{{- end }}
{{- if $v.kafka.strimzi.user }}
- {name: TOUCHLINE_KAFKA_SECURITY_PROTOCOL, value: SASL_SSL}
- {name: TOUCHLINE_KAFKA_SASL_MECHANISM, value: SCRAM-SHA-512}
- {name: TOUCHLINE_KAFKA_SASL_USERNAME, value: {{ $v.kafka.strimzi.user | quote }}}
- name: TOUCHLINE_KAFKA_SASL_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $v.kafka.strimzi.user }}, key: password}}
{{- else if $v.kafka.strimzi.cluster }}
- {name: TOUCHLINE_KAFKA_SECURITY_PROTOCOL, value: SSL}
{{- end }}
{{- if $v.kafka.saslSecret }}
- name: TOUCHLINE_KAFKA_SASL_USERNAME
  valueFrom: {secretKeyRef: {name: {{ $v.kafka.saslSecret }}, key: username}}
- name: TOUCHLINE_KAFKA_SASL_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $v.kafka.saslSecret }}, key: password}}
{{- end }}
- {name: TOUCHLINE_ELASTICSEARCH_URL, value: {{ $v.elasticsearch.url | default (printf "https://%s-es-http:9200" $v.elasticsearch.eck.name) | quote }}}
{{- if or $v.elasticsearch.caSecret $v.elasticsearch.eck.name }}
- {name: TOUCHLINE_ELASTICSEARCH_CA_CERTS, value: /etc/touchline/elasticsearch-ca/ca.crt}
{{- end }}
{{- if $v.elasticsearch.apiKeySecret }}
- name: TOUCHLINE_ELASTICSEARCH_API_KEY
  valueFrom: {secretKeyRef: {name: {{ $v.elasticsearch.apiKeySecret }}, key: api-key}}
{{- end }}
- {name: TOUCHLINE_TOPICS_PREFIX, value: {{ $v.topics.prefix | quote }}}
- {name: TOUCHLINE_ELASTICSEARCH_INDEX_PREFIX, value: {{ $v.topics.prefix | quote }}}
- {name: TOUCHLINE_TOPICS_PARTITIONS, value: {{ $v.topics.partitions | quote }}}
- {name: TOUCHLINE_TOPICS_REPLICATION_FACTOR, value: {{ $v.topics.replicationFactor | quote }}}
- {name: TOUCHLINE_TOPICS_MIN_INSYNC_REPLICAS, value: {{ $v.topics.minInsyncReplicas | quote }}}
{{- if not (or $v.auth.jwksUrl $v.auth.publicKeySecret) }}
- name: TOUCHLINE_AUTH_SECRET
  valueFrom: {secretKeyRef: {name: {{ $v.auth.existingSecret }}, key: secret}}
{{- end }}
{{- with $v.auth.jwksUrl }}
- {name: TOUCHLINE_AUTH_JWKS_URL, value: {{ . | quote }}}
{{- end }}
{{- if $v.auth.publicKeySecret }}
- {name: TOUCHLINE_AUTH_PUBLIC_KEY, value: /etc/touchline/auth/public.pem}
{{- end }}
- name: TOUCHLINE_AUTH_INTERNAL_SECRET
  valueFrom: {secretKeyRef: {name: {{ $v.auth.existingSecret }}, key: internal-secret}}
- {name: TOUCHLINE_STATE_DIR, value: /var/lib/touchline/state}
- {name: TOUCHLINE_ATTACHMENTS_STORE, value: {{ $v.attachments.store | quote }}}
- {name: TOUCHLINE_ATTACHMENTS_DIR, value: /var/lib/touchline/attachments}
- {name: TOUCHLINE_ATTACHMENTS_GATEWAY, value: "http://{{ include "touchline.name" . }}-gateway:18080"}
{{- if $v.host }}
- {name: TOUCHLINE_GATEWAY_PUBLIC_URL, value: "https://{{ $v.host }}"}
- {name: TOUCHLINE_GATEWAY_EDGES, value: "wss://{{ $v.host }}/v1/ws"}
- {name: TOUCHLINE_EDGE_ORIGINS, value: "https://{{ $v.host }}"}
{{- end }}
{{- if $v.webPush.secret }}
- {name: TOUCHLINE_OUTBOX_VAPID_KEY, value: /etc/touchline/web-push/vapid.pem}
- {name: TOUCHLINE_OUTBOX_VAPID_CONTACT, value: {{ $v.webPush.contact | quote }}}
{{- end }}
{{- range $name, $value := $v.settings }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end }}

{{- define "touchline.mounts" -}}
{{- $v := .Values -}}
- {name: state, mountPath: /var/lib/touchline/state}
- {name: tmp, mountPath: /tmp}
{{- if or $v.kafka.caSecret $v.kafka.strimzi.cluster }}
- {name: kafka-ca, mountPath: /etc/touchline/kafka-ca, readOnly: true}
{{- end }}
{{- if or $v.elasticsearch.caSecret $v.elasticsearch.eck.name }}
- {name: elasticsearch-ca, mountPath: /etc/touchline/elasticsearch-ca, readOnly: true}
{{- end }}
{{- if $v.auth.publicKeySecret }}
- {name: auth, mountPath: /etc/touchline/auth, readOnly: true}
{{- end }}
{{- if $v.webPush.secret }}
- {name: web-push, mountPath: /etc/touchline/web-push, readOnly: true}
{{- end }}
{{- end }}

{{- define "touchline.volumes" -}}
{{- $v := .Values -}}
- {name: state, emptyDir: {}}
- {name: tmp, emptyDir: {}}
{{- if or $v.kafka.caSecret $v.kafka.strimzi.cluster }}
- {name: kafka-ca, secret: {secretName: {{ $v.kafka.caSecret | default (printf "%s-cluster-ca-cert" $v.kafka.strimzi.cluster) }}}}
{{- end }}
{{- if or $v.elasticsearch.caSecret $v.elasticsearch.eck.name }}
- {name: elasticsearch-ca, secret: {secretName: {{ $v.elasticsearch.caSecret | default (printf "%s-es-http-certs-public" $v.elasticsearch.eck.name) }}}}
{{- end }}
{{- if $v.auth.publicKeySecret }}
- {name: auth, secret: {secretName: {{ $v.auth.publicKeySecret }}}}
{{- end }}
{{- if $v.webPush.secret }}
- {name: web-push, secret: {secretName: {{ $v.webPush.secret }}}}
{{- end }}
{{- end }}

{{- define "touchline.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "touchline.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
