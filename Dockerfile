# One image for the service and, with the target `aegra`, for the LangGraph server that many machines run together.
FROM python:3.12.12-slim-bookworm AS build

ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/selfhelp UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /src

# What it depends on changes seldom, and has a layer of its own.
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-default-groups --extra postgres --extra qdrant --no-install-project

COPY README.md LICENSE ./
COPY agent agent
COPY examples examples
COPY graphs graphs
COPY service service
COPY tools tools
RUN uv sync --locked --no-default-groups --extra postgres --extra qdrant --no-editable


FROM build AS build-aegra
RUN uv pip install --no-cache --python /opt/selfhelp/bin/python aegra-api==0.11.0


FROM python:3.12.12-slim-bookworm AS base

RUN useradd --system --uid 10001 --create-home selfhelp \
    && install --directory --owner=selfhelp --group=selfhelp /data
ENV PATH=/opt/selfhelp/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SELFHELP_DATA_DIR=/data
WORKDIR /app
VOLUME /data


FROM base AS aegra

COPY --from=build-aegra /opt/selfhelp /opt/selfhelp
COPY aegra.json ./
COPY graphs graphs
ENV REDIS_BROKER_ENABLED=true
USER 10001
EXPOSE 2026
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:2026/healthz', timeout=4)"]
CMD ["uvicorn", "aegra_api.main:app", "--host", "0.0.0.0", "--port", "2026"]


FROM base AS service

COPY --from=build /opt/selfhelp /opt/selfhelp
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["selfhelp", "serve", "--host", "0.0.0.0", "--port", "8000"]
