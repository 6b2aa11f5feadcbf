#!/usr/bin/env bash
# deploy/certificates.sh [DIRECTORY [NAME…]]: an authority, and certificates by it, for trying out: of the balancer
# (touchline.pem; NAME… is what people call it, besides localhost), of the brokers and of Elasticsearch
# (deploy/secure.yml). Where you have an authority of your own, put files of the same names there instead.
set -euo pipefail
umask 022
dir=${1:-deploy/tls}
shift || true
mkdir -p "$dir"
cd "$dir"

# Containers read these by users of their own: keys can be read by whoever may enter the directory.
new() { # new NAME SUBJECT-ALTERNATIVE-NAMES
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 90 -out "$1.crt" \
    -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$2") 2>/dev/null
  cat "$1.crt" ca.pem "$1.key" > "$1.pem"
  chmod 644 "$1.key"
  rm "$1.csr"
}

if [ ! -e ca.pem ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj "/CN=Touchline's own authority" \
    -addext keyUsage=critical,keyCertSign,cRLSign -keyout ca.key -out ca.pem 2>/dev/null
  chmod 600 ca.key
fi
public=DNS:localhost,IP:127.0.0.1
for name in "$@"; do public=$public,DNS:$name; done
new touchline "$public"
for name in kafka-1 kafka-2 kafka-3 elasticsearch; do
  new "$name" "DNS:$name,DNS:localhost,IP:127.0.0.1"
done
echo "certificates for 90 days are in $dir; who trusts $dir/ca.pem trusts them"
