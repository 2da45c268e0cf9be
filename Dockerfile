# syntax=docker/dockerfile:1
#
# Two images from one file: `api` (REST, webhooks, the record, provisioning) and `worker` (the agent, and the
# speech engine that works without a key). Python 3.11, because the locks are compiled for it; every package by
# its hash. The programs run as user 10001 and write to /data, /run/trunkline and /tmp only.

ARG PYTHON=python:3.11.13-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/build.txt requirements/build.txt
RUN python -m venv /opt/build && /opt/build/bin/pip install --quiet --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY telephony telephony
COPY provisioning provisioning
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheel .

# The packages change less often than our sources: they get layers of their own.
FROM ${PYTHON} AS packages-api
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/runtime.txt /tmp/lock.txt
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --quiet --require-hashes --only-binary :all: -r /tmp/lock.txt

FROM ${PYTHON} AS packages-worker
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/offline.txt /tmp/lock.txt
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --quiet --require-hashes --only-binary :all: -r /tmp/lock.txt

FROM packages-api AS installed-api
COPY --from=build /wheel /wheel
COPY deploy/collect-notices.sh /collect-notices.sh
RUN /opt/venv/bin/pip install --quiet --no-deps --no-index /wheel/*.whl \
    && /opt/venv/bin/python -m compileall -q /opt/venv/lib \
    && sh /collect-notices.sh /opt/venv /notices

FROM packages-worker AS installed-worker
COPY --from=build /wheel /wheel
COPY deploy/collect-notices.sh /collect-notices.sh
RUN /opt/venv/bin/pip install --quiet --no-deps --no-index /wheel/*.whl \
    && /opt/venv/bin/python -m compileall -q /opt/venv/lib \
    && sh /collect-notices.sh /opt/venv /notices

FROM ${PYTHON} AS base
# A new volume takes its owner from the folder of the image.
RUN groupadd --gid 10001 trunkline \
    && useradd --uid 10001 --gid 10001 --home-dir /app --no-create-home --shell /usr/sbin/nologin trunkline \
    && install -d -o 10001 -g 10001 -m 0700 /data /run/trunkline \
    && install -d -m 0755 /app
COPY --chmod=0755 deploy/entrypoint.sh /usr/local/bin/trunkline-entrypoint
COPY --chmod=0755 deploy/health.py /usr/local/bin/trunkline-health
COPY LICENSE docs/third-party.md /licenses/
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TRUNKLINE_DATA=/data
WORKDIR /app
STOPSIGNAL SIGTERM
ENTRYPOINT ["trunkline-entrypoint"]

FROM base AS api
COPY --from=installed-api /opt/venv /opt/venv
COPY --from=installed-api /notices /licenses/packages
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["trunkline-health", "http://127.0.0.1:8080/readyz"]
CMD ["python", "-m", "telephony.api"]

FROM base AS worker
COPY --from=installed-worker /opt/venv /opt/venv
COPY --from=installed-worker /notices /licenses/packages
USER 10001:10001
ENV TRUNKLINE_WORKER_PORT=8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["trunkline-health", "http://127.0.0.1:8081/"]
CMD ["python", "-m", "telephony.agent"]
