FROM python:3.11-slim

WORKDIR /sluice
COPY requirements.lock requirements-uv.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-uv.lock \
    && uv pip install --system --no-cache --require-hashes -r requirements.lock
COPY common-py common-py
RUN uv pip install --system --no-cache --no-deps --no-build-isolation ./common-py/mesh ./common-py/core
COPY settings.py ./
COPY api api
COPY pipeline pipeline
COPY workers workers

# /data is the reference mesh's; nothing else writes to the disk.
RUN useradd --system sluice && mkdir /data && chown sluice /data
USER sluice
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
