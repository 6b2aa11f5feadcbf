# Three stages: the pages, an environment from the lock, and an image that carries only what runs.
FROM node:24-slim AS pages
WORKDIR /src
COPY package.json package-lock.json ./
COPY clients clients
COPY web web
RUN npm ci --no-audit --no-fund && npm run build \
 && find gateway/dist -name "*.html" -o -name "*.js" -o -name "*.css" -o -name "*.svg" | xargs gzip -9nk

FROM python:3.13 AS build
WORKDIR /src
COPY requirements.lock requirements-run.lock ./
RUN python -m venv --without-pip /opt/touchline \
 && pip install --no-cache-dir "$(grep -oE '^uv==[^ ]+' requirements.lock)" \
 && uv pip sync --python /opt/touchline/bin/python --require-hashes requirements-run.lock
COPY pyproject.toml hatch_build.py hatch_imports.py README.md LICENSE ./
COPY kernel kernel
COPY schemas schemas
COPY control control
COPY history history
COPY producers producers
COPY streams streams
COPY consumers consumers
COPY search_indexer search_indexer
COPY outbox outbox
COPY embedded embedded
COPY gateway gateway
COPY chaos chaos
COPY touchline touchline
COPY --from=pages /src/gateway/dist gateway/dist
RUN uv pip install --python /opt/touchline/bin/python --no-deps --build-constraints requirements.lock .
# What only debuggers and builders need is left out. That all can be imported afterwards is seen here.
COPY deploy/slim.py ./
RUN find /opt/touchline -name "*.so*" -type f -exec strip --strip-unneeded {} + \
 && cd / && /opt/touchline/bin/python /src/slim.py /opt/touchline/lib \
 && /opt/touchline/bin/python -c "import numpy.linalg, confluent_kafka, zstandard, cryptography.x509, uvloop"

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/touchline touchline \
 && install -d -o touchline -g touchline /var/lib/touchline/attachments /var/lib/touchline/state
COPY --from=build /opt/touchline /opt/touchline
ENV PATH=/opt/touchline/bin:$PATH PYTHONUNBUFFERED=1 TOUCHLINE_LOG_FORMAT=json
USER touchline
WORKDIR /var/lib/touchline
ENTRYPOINT ["touchline"]
CMD ["--help"]
