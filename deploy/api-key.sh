#!/usr/bin/env bash
# deploy/api-key.sh: an API key of Elasticsearch for Touchline's roles, as a line for .env. Elasticsearch runs as
# deploy/secure.yml says. The key may do what the indexer and searches need, with indices of our prefix alone.
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=${TOUCHLINE_ELASTICSEARCH_INDEX_PREFIX:-touchline}
body='{"name": "touchline", "role_descriptors": {"touchline": {
  "cluster": ["monitor", "manage_index_templates", "manage_ilm"],
  "indices": [{"names": ["'"$prefix"'-*"], "privileges": ["all"]}]}}}'
# COMPOSE: another way to call it, where you have one.
answer=$(${COMPOSE:-docker compose --file docker-compose.yml --file deploy/secure.yml} exec -T elasticsearch bash -c \
  'curl -sS --fail-with-body --cacert config/tls/ca.pem --user "elastic:$ELASTIC_PASSWORD" -H "Content-Type: application/json" \
   -X POST https://localhost:9200/_security/api_key -d "$0"' "$body")
sed -E 's/.*"encoded":"([^"]+)".*/ELASTICSEARCH_API_KEY=\1/' <<<"$answer"
